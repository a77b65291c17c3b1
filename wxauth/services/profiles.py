"""What a user sees of themselves."""

from dataclasses import dataclass
from typing import Any

from wxauth import transactions
from wxauth.conf import HostUser
from wxauth.models import PhoneNumber, Referral, WechatIdentity, WechatProfile
from wxauth.services.locking import lock_entrant


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """All that we keep of a user, as their own eyes may see it."""

    user: HostUser
    profile: WechatProfile
    phone: PhoneNumber | None
    identities: list[WechatIdentity]
    referral: Referral | None


def read_me(*, user: HostUser) -> Me:
    """Return what we keep of ``user``. Four queries."""
    return Me(
        user=user,
        profile=WechatProfile.objects.of(user) or WechatProfile(user=user),
        phone=PhoneNumber.objects.of(user),
        identities=list(WechatIdentity.objects.filter(user=user).order_by("pk")),
        referral=Referral.objects.of(user),
    )


def change_profile(*, user: HostUser, changes: dict[str, Any]) -> None:
    """Write these of nickname, avatar_url, gender and ext; leave the others as they are."""

    def step() -> None:
        lock_entrant(user)
        WechatProfile.objects.change(user, **changes)

    transactions.run(step)
