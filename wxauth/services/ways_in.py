"""By what a user can sign in, and the guard of the last such thing."""

from collections.abc import Collection

from django.contrib.auth import get_backends

from wxauth.backends import WechatBackend, has_other_way_in
from wxauth.conf import AppKind, HostUser, conf
from wxauth.exceptions import LastSignInMethod
from wxauth.models import WechatIdentity, WechatProfile
from wxauth.users import PREFIX


def check_way_in(
    user: HostUser,
    *,
    identities: Collection[WechatIdentity],
    has_phone: bool,
    button_leads_here: bool = True,
) -> None:
    """
    Raise ``LastSignInMethod`` when ``has_way_in`` says no.

    Call it with the user locked, or two removals at once leave nothing.
    """
    if not has_way_in(
        user, identities=identities, has_phone=has_phone, button_leads_here=button_leads_here
    ):
        raise LastSignInMethod(reason=f"user {user.pk} has no other way in")


def has_way_in(
    user: HostUser,
    *,
    identities: Collection[WechatIdentity],
    has_phone: bool,
    button_leads_here: bool = True,
) -> bool:
    """
    Tell whether ``user`` could sign in with these identities, and a phone or none.

    - An identity counts while its app is configured.
    - A phone counts when text messages are sent, or when there is a mini program in which its
      owner can press the phone button: unless ``button_leads_here`` says that WeChat would lead
      them to somebody else first.
    - A password counts with a phone, which is then the name to sign in by, where
      ``WechatBackend`` checks it; without a phone only for users of the host's own making: the
      name of a user whom wxauth made is known to nobody.
    - What else there is, the project's ``WechatBackend.has_other_way_in`` knows.
    """
    apps = conf.apps.values()
    if {identity.app_id for identity in identities} & {app.app_id for app in apps}:
        return True
    if has_phone and apps:
        if conf.sms_backend is not None:
            return True
        if button_leads_here and any(app.kind is AppKind.MINI_PROGRAM for app in apps):
            return True
    if user.has_usable_password():
        if has_phone and apps and _takes_phones():
            return True
        if not _is_of_our_making(user):
            return True
    return has_other_way_in(user)


def _takes_phones() -> bool:
    return any(isinstance(backend, WechatBackend) for backend in get_backends())


def _is_of_our_making(user: HostUser) -> bool:
    if str(user.get_username()).startswith(PREFIX):
        return True
    return WechatProfile.objects.filter(user=user).exclude(app="").exists()
