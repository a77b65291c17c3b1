"""Who invited whom: found and written down with a registration, and shown to both afterwards."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models

from wxauth import backends, transactions
from wxauth.conf import HostUser, conf
from wxauth.models import InviteCode, Referral
from wxauth.services.merge_plans import merged_into
from wxauth.services.pages import Page, Position, newest
from wxauth.services.uids import user_of_number

SCENE_LENGTH = 64  # characters
REFERRER_LENGTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Friend:
    """
    How much of a user another one sees: ``张**`` and a picture.

    Both are empty for somebody who has no name, or may no longer come in.
    """

    nickname: str
    avatar_url: str
    at: datetime  # of the registration that joins the two


@dataclass(frozen=True, slots=True, kw_only=True)
class Referrals:
    """Whom a user invited; on the first page who invited the user, and the counts per level."""

    inviter: Friend | None
    levels: list[int] | None
    invited: Page[Friend]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inviter:
    """Who invited a user, as that user sees them in full."""

    user: HostUser
    nickname: str
    avatar_url: str


def read_inviter(*, user: HostUser) -> Inviter | None:
    """Return who invited ``user``; None for nobody, and for who may not come in. One query."""
    own = Referral.objects.select_related("referrer__wxauth_profile").filter(referee=user).first()
    if own is None or own.referrer is None or not backends.may_enter(own.referrer):
        return None
    profile = getattr(own.referrer, "wxauth_profile", None)
    return Inviter(
        user=own.referrer,
        nickname=profile.nickname if profile else "",
        avatar_url=profile.avatar_url if profile else "",
    )


def read_referrals(*, user: HostUser, before: Position | None = None, limit: int) -> Referrals:
    """
    Return who invited ``user`` and whom ``user`` invited, newest first.

    Three queries for the first page, and one for each further page, which has only the list. A
    referrer who has been deleted is nobody, and who has deleted the account is missing from the
    list and the counts. Who may not come in is in all of them, without name and picture.
    """
    mine = Referral.objects.filter(referrer=user).select_related("referee__wxauth_profile")
    page = newest(mine, by="created_at", before=before, limit=limit)
    invited = Page(rows=[_friend(row.referee, row) for row in page.rows], next=page.next)
    if before is not None:
        return Referrals(inviter=None, levels=None, invited=invited)
    own = Referral.objects.select_related("referrer__wxauth_profile").filter(referee=user).first()
    return Referrals(
        inviter=_friend(own.referrer, own) if own and own.referrer else None,
        levels=Referral.objects.count_levels(user, depth=conf.referral_depth),
        invited=invited,
    )


def read_invite_code(*, user: HostUser) -> str:
    """Return the user's invite code, which is made when it is first asked for."""
    return transactions.run(lambda: InviteCode.objects.of(user)).code


def find_referrer(referrer: Any) -> HostUser | None:
    """
    Return the user whose uid or invite code this is; None unless they may come in. One query.

    Of somebody who has been merged into another user, that one: their posters still hang. Links
    and QR scenes carry anything: what is neither is nobody. A code is looked for when it cannot
    be a uid; where uids are texts of any kind, when it is nobody's.
    """
    text = _read_text(referrer, limit=REFERRER_LENGTH)
    if text is None:
        return None
    user = _find_by_uid(text) or _find_by_number(text) or InviteCode.objects.find_user(text)
    if user is not None and not backends.may_enter(user):
        user = merged_into(user.pk)
    return user if user is not None and backends.may_enter(user) else None


def record_referral(
    *, referee: HostUser, referrer: Any, scene: Any, now: datetime
) -> HostUser | None:
    """
    Write down who invited ``referee``, who registers in this transaction, and return them.

    And the scene in which it happened, with or without a referrer. What is of no use is ignored.
    """
    inviter = find_referrer(referrer)
    if inviter is not None and inviter.pk == referee.pk:
        inviter = None
    place = _read_text(scene, limit=SCENE_LENGTH) or ""
    if inviter is not None or place:
        Referral.objects.create(referee=referee, referrer=inviter, scene=place, created_at=now)
    return inviter


def _friend(user: HostUser, referral: Referral) -> Friend:
    nickname = avatar_url = ""
    profile = getattr(user, "wxauth_profile", None)
    if profile is not None and backends.may_enter(user):
        nickname = f"{profile.nickname[0]}**" if profile.nickname else ""
        avatar_url = profile.avatar_url
    return Friend(nickname=nickname, avatar_url=avatar_url, at=referral.created_at)


def _find_by_uid(text: str) -> HostUser | None:
    model = get_user_model()
    key = model._meta.pk
    if isinstance(key, models.IntegerField) and not (text.isascii() and text.isdigit()):
        return None  # int() also takes "1_0" and other scripts' digits
    try:
        return model._default_manager.filter(pk=key.to_python(text)).first()
    except (ValidationError, ValueError, OverflowError):
        return None


def _find_by_number(text: str) -> HostUser | None:
    return user_of_number(int(text)) if text.isascii() and text.isdigit() else None


def _read_text(value: Any, *, limit: int) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    try:
        text = str(value).strip()
    except ValueError:  # Python writes no more than 4300 digits
        return None
    return text if text and len(text) <= limit and text.isprintable() else None
