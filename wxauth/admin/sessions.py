"""Sign-ins in the admin, and how to end them."""

import re
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import BaseModelAdmin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from wxauth.admin.base import ReadOnlyMixin, WxauthAdmin
from wxauth.admin.filters import AppAliasFilter, SessionStateFilter
from wxauth.admin.search import find_users, read_sid
from wxauth.conf import HostUser
from wxauth.models import LoginSession
from wxauth.services import end_sessions

DEVICE_LENGTH = 40  # characters of a user agent that a list shows when it is a strange one
SYSTEM = re.compile(r"iPhone|iPad|Android [0-9.]+|OpenHarmony|Windows|Macintosh|Linux x86")
WECHAT = re.compile(r"MicroMessenger/([0-9.]+)")


def name_device(user_agent: str) -> str:
    """Return ``iPhone, WeChat 8.0.54`` for the long text that such a phone sends."""
    system, wechat = SYSTEM.search(user_agent), WECHAT.search(user_agent)
    if system and wechat:
        # In one line, however narrow the column.
        return f"{system[0]}, WeChat {wechat[1]}".replace(" ", "\N{NO-BREAK SPACE}")
    return Truncator(user_agent).chars(DEVICE_LENGTH)


class SessionColumnsMixin(BaseModelAdmin):
    """Columns that lists and inlines share."""

    @admin.display(description=_("state"))
    def state(self, session: LoginSession) -> str:
        if session.revoked_at is not None:
            return gettext("revoked")
        return gettext("open") if session.is_open(timezone.now()) else gettext("expired")

    @admin.display(description=_("device"))
    def device(self, session: LoginSession) -> str:
        return name_device(session.user_agent)


class RevokeMixin(admin.ModelAdmin):
    """For actions that end sessions. Ending takes the change permission on sessions."""

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wxauth.change_loginsession")

    def end(self, request: HttpRequest, queryset: QuerySet[LoginSession]) -> None:
        """End those that are not ended yet; write it into the admin's log, and tell the viewer."""
        sessions = list(queryset.filter(revoked_at__isnull=True).select_related("user"))
        ended = end_sessions(sessions=sessions)
        viewer: HostUser = request.user
        changes = [{"changed": {"fields": ["revoked at"]}}]
        LogEntry.objects.log_actions(viewer.pk, sessions, CHANGE, changes)
        message = ngettext("%d session has been ended.", "%d sessions have been ended.", ended)
        self.message_user(request, message % ended, messages.SUCCESS)


@admin.register(LoginSession)
class LoginSessionAdmin(ReadOnlyMixin, SessionColumnsMixin, RevokeMixin, WxauthAdmin):
    """Sessions: they are ended, never edited. The change permission is what ending takes."""

    list_display = (
        "created_at",
        "owner",
        "state",
        "device",
        "rotated_at",
        "app",
        "ip_address",
    )
    list_filter = (SessionStateFilter, AppAliasFilter, "created_at")
    search_help_text = _("Exact uid, phone number, openid, unionid or session id (sid).")
    # The last used first. This column has an index, and the primary key tells nothing of time.
    ordering = ("-expires_at",)
    fields = readonly_fields = (
        "owner",
        "identity",
        "state",
        "app",
        "user_agent",
        "ip_address",
        "created_at",
        "rotated_at",
        "generation",
        "expires_at",
        "revoked_at",
        "id",
        "see_also",
    )
    actions = ("revoke",)

    def matching(self, term: str) -> Q:
        sid = read_sid(term)
        return Q(user__in=find_users(term)) | (Q(pk=sid) if sid else Q())

    @admin.action(permissions=["revoke"], description=_("End the selected sessions"))
    def revoke(self, request: HttpRequest, queryset: QuerySet) -> None:
        self.end(request, queryset)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_queryset(request, LoginSession.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        # Ended first, so that the signal is sent and the session_key is dropped.
        end_sessions(sessions=queryset.filter(revoked_at__isnull=True).select_related("user"))
        super().delete_queryset(request, queryset)
