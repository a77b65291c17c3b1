"""
What a host project puts into the admin of its own user model::

    from wxauth.admin import WXAUTH_INLINES

    class UserAdmin(auth.admin.UserAdmin):
        inlines = [*WXAUTH_INLINES]

Only profiles can be edited there, by who has the permission.
"""

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from wxauth.admin.base import HTTPS_URLS, LinksMixin, NeverAddedMixin, ReadOnlyMixin
from wxauth.admin.sessions import SessionColumnsMixin
from wxauth.admin.unions import HolderMixin, with_holder
from wxauth.models import LoginSession, PhoneNumber, Referral, WechatIdentity, WechatProfile

LATEST = 10  # sessions that a user's page shows


class Rows(admin.TabularInline):
    """How all of them look; an inline without rows is left out."""

    extra = 0
    can_delete = False
    show_change_link = True
    layout = "admin/edit_inline/tabular.html"
    template = "wxauth/admin/inline_if_any.html"


class WechatIdentityInline(ReadOnlyMixin, HolderMixin, Rows):
    """The user's identities."""

    model = WechatIdentity
    fields = readonly_fields = ("app_id", "openid", "unionid", "holder", "last_login_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WechatIdentity]:
        return with_holder(super().get_queryset(request))


class WechatProfileInline(NeverAddedMixin, Rows):
    """The user's profile."""

    model = WechatProfile
    layout = "admin/edit_inline/stacked.html"
    formfield_overrides = HTTPS_URLS
    fields = ("nickname", "avatar_url", "gender", "app", "created_at")
    readonly_fields = ("app", "created_at")


class PhoneNumberInline(ReadOnlyMixin, Rows):
    """The user's phone number, masked for everybody: its own page is one click away."""

    model = PhoneNumber
    fields = readonly_fields = ("masked", "source", "verified_at")

    @admin.display(description=_("number"))
    def masked(self, phone: PhoneNumber) -> str:
        return phone.masked


class ReferralInline(ReadOnlyMixin, LinksMixin, Rows):
    """Who invited the user."""

    model = Referral
    fk_name = "referee"
    fields = readonly_fields = ("referrer_link", "scene", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Referral]:
        return super().get_queryset(request).select_related("referrer")

    @admin.display(description=_("invited by"))
    def referrer_link(self, referral: Referral) -> str:
        return self.user_link(referral.referrer)


class LatestFormSet(BaseInlineFormSet):
    """The first rows only: a busy user has thousands of sessions."""

    def get_queryset(self) -> QuerySet:
        if not hasattr(self, "latest"):
            self.latest = super().get_queryset()[:LATEST]
        return self.latest


class LoginSessionInline(ReadOnlyMixin, SessionColumnsMixin, Rows):
    """The user's latest sessions."""

    model = LoginSession
    formset = LatestFormSet
    verbose_name_plural = _("latest login sessions")
    ordering = ("-created_at",)
    fields = readonly_fields = (
        "state",
        "device",
        "ip_address",
        "app",
        "created_at",
        "rotated_at",
        "expires_at",
    )


WXAUTH_INLINES = (
    WechatIdentityInline,
    WechatProfileInline,
    PhoneNumberInline,
    ReferralInline,
    LoginSessionInline,
)
