"""Profiles, phone numbers and referrals in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from wxauth.admin.base import HTTPS_URLS, ReadOnlyMixin, WxauthAdmin
from wxauth.admin.filters import AppAliasFilter
from wxauth.admin.referring import ReferralPagesMixin
from wxauth.admin.search import find_users
from wxauth.models import PhoneNumber, Referral, WechatProfile


@admin.register(WechatProfile)
class WechatProfileAdmin(WxauthAdmin):
    """Profiles: what users say of themselves can be corrected, what they agreed to cannot."""

    list_display = ("__str__", "owner", "gender", "app", "created_at")
    list_filter = ("gender", AppAliasFilter, "created_at")
    formfield_overrides = HTTPS_URLS
    readonly_fields = (
        "owner",
        "avatar_refused_at",
        "app",
        "consent_version",
        "consent_at",
        "created_at",
        "see_also",
    )
    fieldsets = (
        (None, {"fields": ("owner", "nickname", "avatar_url", "avatar_refused_at")}),
        (None, {"fields": ("gender", "ext")}),
        (_("Registration"), {"fields": ("app", "consent_version", "consent_at", "created_at")}),
        (None, {"fields": ("see_also",)}),
    )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if "avatar_url" in form.changed_data:
            obj.avatar_refused_at = None  # another picture, another chance
        super().save_model(request, obj, form, change)


@admin.register(PhoneNumber)
class PhoneNumberAdmin(ReadOnlyMixin, WxauthAdmin):
    """
    Phone numbers: masked in every list; whole on its own page, for who may change them.

    They are not edited by hand: ``verified_at`` says that somebody proved to own the number.
    """

    list_display = ("masked", "owner", "source", "verified_at")
    list_filter = ("source", "verified_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        number = "number" if self.may_change(request) else "masked"
        return ("owner", number, "source", "verified_at", "see_also")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.get_fields(request, obj)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        # ?number__startswith=… would tell the masked digits, one after the other.
        return not lookup.startswith("number") and super().lookup_allowed(lookup, value, request)

    @admin.display(description=_("number"))
    def masked(self, phone: PhoneNumber) -> str:
        return phone.masked


@admin.register(Referral)
class ReferralAdmin(ReferralPagesMixin, ReadOnlyMixin, WxauthAdmin):
    """Referrals: written once, with the registration."""

    list_display = ("created_at", "referee_link", "referrer_link", "scene")
    list_filter = ("created_at",)
    list_select_related = ("referee", "referrer")
    fields = readonly_fields = ("referee_link", "referrer_link", "scene", "created_at", "see_also")

    def matching(self, term: str) -> Q:
        users = find_users(term)
        return Q(referee__in=users) | Q(referrer__in=users)

    @admin.display(description=_("invited user"), ordering="referee_id")
    def referee_link(self, referral: Referral) -> str:
        return self.user_link(referral.referee)

    @admin.display(description=_("invited by"), ordering="referrer_id")
    def referrer_link(self, referral: Referral) -> str:
        return self.user_link(referral.referrer)

    @admin.display(description=_("see also"))
    def see_also(self, referral: Referral) -> str:
        return self.places(referral.referee_id)
