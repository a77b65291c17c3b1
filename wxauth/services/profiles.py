"""What a user sees of themselves."""

import json
from dataclasses import dataclass
from typing import Any

from wxauth import transactions
from wxauth.conf import HostUser, conf
from wxauth.exceptions import InvalidInput
from wxauth.models import LoginSession, PhoneNumber, Referral, WechatIdentity, WechatProfile
from wxauth.services.avatars import forget_picture_of
from wxauth.services.locking import lock_entrant

MAX_EXT = 16 * 1024  # characters of JSON


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


def number_of(*, user: HostUser) -> PhoneNumber | None:
    """Return the user's phone number, or None. One query."""
    return PhoneNumber.objects.of(user)


def identity_of(*, session: LoginSession) -> WechatIdentity | None:
    """Return who the user of this session is in its app, or None. One query at the most."""
    if session.identity is not None:
        return session.identity
    app_id = conf.app(session.app or None).app_id
    return WechatIdentity.objects.of(session.user, app_id=app_id)


def change_profile(
    *, user: HostUser, changes: dict[str, Any], more: dict[str, Any] | None = None
) -> None:
    """
    Write these of nickname, avatar_url, gender and ext; leave the others as they are.

    ``more`` is added to the attributes in ext, and replaces those of the same names. An uploaded
    picture that is replaced is deleted. Raise ``InvalidInput`` when ext would become too large.
    """

    def step() -> None:
        lock_entrant(user)
        fields = dict(changes)
        if "avatar_url" in changes:
            forget_picture_of(user)
        if more:
            before = WechatProfile.objects.of(user)
            fields["ext"] = {**(before.ext if before else {}), **more}
            if len(json.dumps(fields["ext"])) > MAX_EXT:
                raise InvalidInput(reason="too many further attributes")
        WechatProfile.objects.change(user, **fields)

    transactions.run(step)
