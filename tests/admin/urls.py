"""Three admins: the usual one, one with our inlines at the user, and one without any users."""

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import path

from wxauth import models
from wxauth.admin import (
    WXAUTH_INLINES,
    AuditEventAdmin,
    InviteCodeAdmin,
    LoginSessionAdmin,
    PhoneNumberAdmin,
    ReferralAdmin,
    WechatIdentityAdmin,
    WechatProfileAdmin,
    WechatUnionAdmin,
)

OURS = {
    models.WechatIdentity: WechatIdentityAdmin,
    models.WechatUnion: WechatUnionAdmin,
    models.WechatProfile: WechatProfileAdmin,
    models.PhoneNumber: PhoneNumberAdmin,
    models.Referral: ReferralAdmin,
    models.LoginSession: LoginSessionAdmin,
    models.AuditEvent: AuditEventAdmin,
    models.InviteCode: InviteCodeAdmin,
}


class HostUserAdmin(admin.ModelAdmin):
    """A host's user admin, for whatever user model the tests run with."""

    fields = ("is_active",)
    inlines = [*WXAUTH_INLINES]


def make_site(name: str) -> admin.AdminSite:
    """Return an admin with our pages."""
    site = admin.AdminSite(name=name)
    for model, model_admin in OURS.items():
        site.register(model, model_admin)
    return site


with_users = make_site("with_users")
with_users.register(get_user_model(), HostUserAdmin)
without_users = make_site("without_users")

urlpatterns = [
    path("admin/", admin.site.urls),
    path("with_users/", with_users.urls),
    path("without_users/", without_users.urls),
]
