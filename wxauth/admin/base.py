"""What all our pages in the admin share: who may do what, links to users, exact search."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from wxauth.admin.search import clean_term, find_users
from wxauth.conf import HostUser
from wxauth.models import (
    AuditEvent,
    DeletionRequest,
    LoginSession,
    PhoneNumber,
    Referral,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)

# Where else a user can be met: the model, its field that names the user, and what we call it.
PLACES: list[tuple[type[Model], str, Any]] = [
    (WechatIdentity, "user", _("WeChat identities")),
    (WechatUnion, "user", _("WeChat unions")),
    (WechatProfile, "user", _("WeChat profile")),
    (PhoneNumber, "user", _("phone number")),
    (LoginSession, "user", _("login sessions")),
    (Referral, "referee", _("referral")),
    (Referral, "referrer", _("invited users")),
    (DeletionRequest, "user", _("deletion request")),
    (AuditEvent, "user", _("audit trail")),
]


def user_label(user: HostUser) -> str:
    """Return how the host project calls this user, or else the uid."""
    try:
        return str(user) or str(user.pk)
    except TypeError:  # AbstractBaseUser.__str__ answers None where the username may be NULL
        return str(user.pk)


class LinksMixin(BaseModelAdmin):
    """Links to users, which are plain text where the admin has no page for the user model."""

    def user_link(self, user: HostUser | None) -> str:
        return self.empty() if user is None else self.uid_link(user.pk, label=user_label(user))

    def uid_link(self, uid: Any, *, label: str = "") -> str:
        opts = get_user_model()._meta
        url = self.find_url(f"{opts.app_label}_{opts.model_name}_change", quote(uid))
        return format_html('<a href="{}">{}</a>', url, label or uid) if url else label or str(uid)

    def places(self, uid: Any) -> str:
        """Return links to the lists of what else there is of this user."""
        links = []
        for model, field, label in PLACES:
            url = self.find_url(f"{model._meta.app_label}_{model._meta.model_name}_changelist")
            if url:
                links.append((f"{url}?{urlencode({field: uid})}", label))
        return format_html_join(" · ", '<a href="{}">{}</a>', links) or self.empty()

    def find_url(self, name: str, *args: str) -> str | None:
        """Return the address of a page in this admin, or None when it has no such page."""
        try:
            return reverse(f"admin:{name}", args=args, current_app=self.admin_site.name)
        except NoReverseMatch:
            return None

    def empty(self) -> str:
        return str(self.get_empty_value_display())

    @admin.display(description=_("user"), ordering="user_id")
    def owner(self, row: Any) -> str:
        return self.user_link(row.user)

    @admin.display(description=_("see also"))
    def see_also(self, row: Any) -> str:
        return self.places(row.user_id)


class NeverAddedMixin(BaseModelAdmin):
    """Rows that only a sign-in makes: a row made by hand would vouch for what nobody proved."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyMixin(NeverAddedMixin):
    """
    Rows that nobody edits: facts that WeChat told, or that became history.

    They can be deleted by who has the permission to; the user admin needs that to delete users.
    """

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def may_change(self, request: HttpRequest) -> bool:
        """Tell whether the viewer has the change permission, which here gives less than usual."""
        return super().has_change_permission(request)


# Django 5.2 asks every form to say it; Django 6 means it anyway.
HTTPS_URLS: dict[type[models.Field], dict[str, Any]] = {models.URLField: {"assume_scheme": "https"}}


class WxauthAdmin(LinksMixin, NeverAddedMixin, admin.ModelAdmin):
    """A list that stays quick with many rows, searched by the exact ids of a user."""

    # Not read: get_search_results looks for itself. Without it there is no search box.
    search_fields = ("pk",)
    search_help_text = _("Exact uid, phone number, openid or unionid.")
    list_select_related: ClassVar[tuple[str, ...]] = ("user",)
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    ordering = ("-pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        term = clean_term(search_term)
        return (queryset.none() if term is None else queryset.filter(self.matching(term))), False

    def matching(self, term: str) -> Q:
        """Return the condition on the rows that somebody means who types ``term``."""
        return Q(user__in=find_users(term))
