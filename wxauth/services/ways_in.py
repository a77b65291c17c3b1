"""By what a user can sign in, and the guard of the last such thing."""

from collections.abc import Collection

from wxauth.conf import AppKind, HostUser, conf
from wxauth.exceptions import LastSignInMethod
from wxauth.models import WechatIdentity, WechatProfile
from wxauth.users import PREFIX


def check_way_in(
    user: HostUser, *, identities: Collection[WechatIdentity], has_phone: bool
) -> None:
    """
    Raise ``LastSignInMethod`` when with these identities, and a phone or none, ``user`` could
    not sign in again. Call it with the user locked, or two removals at once leave nothing.

    - An identity counts while its app is configured.
    - A phone counts when there is a mini program in which its owner can show it.
    - A password counts with a phone, which is then the name to sign in by; without one only for
      users of the host's own making: the name of a user whom wxauth made is known to nobody.
    """
    apps = conf.apps.values()
    if {identity.app_id for identity in identities} & {app.app_id for app in apps}:
        return
    if has_phone and any(app.kind is AppKind.MINI_PROGRAM for app in apps):
        return
    if user.has_usable_password() and (has_phone or not _is_of_our_making(user)):
        return
    raise LastSignInMethod(reason=f"user {user.pk} has no other way in")


def _is_of_our_making(user: HostUser) -> bool:
    if str(user.get_username()).startswith(PREFIX):
        return True
    return WechatProfile.objects.filter(user=user).exclude(app="").exists()
