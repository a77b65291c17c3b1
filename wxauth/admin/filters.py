"""The filters beside the lists. Their choices come from the settings, never from a table scan."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wxauth.conf import conf


class UnionConflictFilter(admin.SimpleListFilter):
    """Identities whose unionid belongs to another user."""

    title = _("union conflict")
    parameter_name = "conflict"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [("yes", _("in conflict"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "yes":
            return queryset.filter(union_conflict_at__isnull=False)
        return queryset


class SettingsFilter(admin.SimpleListFilter):
    """Rows whose ``field`` has one of the values that the settings name."""

    field: str

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        known = {choice for choice, _label in self.lookup_choices}
        return queryset.filter(**{self.field: value}) if value in known else queryset


class AppIdFilter(SettingsFilter):
    """Rows of one app, by its app id."""

    title = _("app")
    parameter_name = "app"
    field = "app_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [(app.app_id, app.alias) for app in conf.apps.values()]


class AppAliasFilter(SettingsFilter):
    """Rows of one app, by its alias."""

    title = _("app")
    parameter_name = field = "app"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [(alias, alias) for alias in conf.apps]


class ScopeFilter(SettingsFilter):
    """Unions of one Open Platform account."""

    title = _("union scope")
    parameter_name = field = "scope"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        scopes = dict.fromkeys(app.union_scope for app in conf.apps.values())
        return [(scope, scope) for scope in scopes]


class SessionStateFilter(admin.SimpleListFilter):
    """Open, revoked or expired sessions."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [("open", _("open")), ("revoked", _("revoked")), ("expired", _("expired"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        now = timezone.now()
        match self.value():
            case "open":
                return queryset.filter(revoked_at__isnull=True, expires_at__gt=now)
            case "revoked":
                return queryset.filter(revoked_at__isnull=False)
            case "expired":
                return queryset.filter(revoked_at__isnull=True, expires_at__lte=now)
        return queryset
