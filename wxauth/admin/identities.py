"""WeChat's ids in the admin, and the conflicts between them."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.formats import localize
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from wxauth.admin.base import ReadOnlyMixin, WxauthAdmin
from wxauth.admin.filters import AppIdFilter, ScopeFilter, UnionConflictFilter
from wxauth.admin.merging import MergeActionMixin
from wxauth.admin.search import find_accounts, ids_are
from wxauth.admin.sessions import RevokeMixin
from wxauth.admin.unions import HolderMixin, with_holder
from wxauth.models import LoginSession, WechatIdentity, WechatUnion
from wxauth.services import end_sessions


@admin.register(WechatIdentity)
class WechatIdentityAdmin(ReadOnlyMixin, HolderMixin, RevokeMixin, MergeActionMixin, WxauthAdmin):
    """Identities: nothing to edit, since only WeChat knows who somebody is."""

    list_display = (
        "openid",
        "owner",
        "nickname",
        "holder",
        "app_id",
        "unionid",
        "last_login_at",
    )
    list_filter = (UnionConflictFilter, AppIdFilter, "last_login_at")
    list_select_related = ("user__wxauth_profile",)
    fields = readonly_fields = (
        "owner",
        "nickname",
        "app_id",
        "openid",
        "unionid",
        "union_conflict_at",
        "holder",
        "created_at",
        "last_login_at",
        "granted",
        "see_also",
    )
    actions = ("sign_out_everywhere", "merge_users")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WechatIdentity]:
        return with_holder(super().get_queryset(request))

    def matching(self, term: str) -> Q:
        # An openid means this one identity, not all those of its user.
        return ids_are(term) | Q(user__in=find_accounts(term))

    @admin.display(description=_("nickname"))
    def nickname(self, identity: WechatIdentity) -> str:
        profile = getattr(identity.user, "wxauth_profile", None)
        return profile.nickname if profile else ""

    @admin.display(description=_("provider token"))
    def granted(self, identity: WechatIdentity) -> str:
        # Until when, and for what; nobody needs to see the tokens.
        kept = getattr(identity, "provider_token", None)
        return f"{kept.scope}, {localize(localtime(kept.ends_at))}" if kept else ""

    @admin.action(
        permissions=["revoke"], description=_("Sign out everywhere the users of the selected rows")
    )
    def sign_out_everywhere(self, request: HttpRequest, queryset: QuerySet) -> None:
        users = queryset.order_by().values("user")
        self.end(request, LoginSession.objects.filter(user__in=users))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_queryset(request, WechatIdentity.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        # Who is cut off from an account must not stay in it with the tokens of yesterday.
        identities = queryset.order_by().values("pk")
        sessions = LoginSession.objects.filter(identity__in=identities, revoked_at__isnull=True)
        end_sessions(sessions=sessions.select_related("user"))
        super().delete_queryset(request, queryset)


@admin.register(WechatUnion)
class WechatUnionAdmin(ReadOnlyMixin, WxauthAdmin):
    """Unions: to look at. A union that is deleted belongs to the next who signs in with it."""

    list_display = ("unionid", "scope", "owner", "created_at")
    list_filter = (ScopeFilter,)
    fields = readonly_fields = ("owner", "scope", "unionid", "created_at", "see_also")
