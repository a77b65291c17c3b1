"""What a merge does with our own tables where pointing a row to another user is not all."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_noop

from wxauth import transactions
from wxauth.conf import HostUser, conf
from wxauth.models import (
    LoginSession,
    Merge,
    MergeStep,
    PhoneNumber,
    Referral,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)
from wxauth.services.relations import COLLIDES, Relation

FREED = gettext_noop("The user who stays has a number. This one is set free.")
FILLS = gettext_noop("It fills what is blank in the profile of the user who stays.")
CIRCLE = gettext_noop("The user who stays would have invited themselves, or has been invited.")
BLANKS = {"nickname": "", "avatar_url": "", "gender": WechatProfile.Gender.UNKNOWN, "app": ""}
BATCH = 2000  # sessions


def stays(relation: Relation, *, winner: HostUser, loser: HostUser) -> Q | None:
    """Return the condition on the loser's rows that cannot be the winner's; None when all can."""
    collides = relation.collisions()
    if relation.model is not Referral:
        return collides
    if relation.field.name == "referee":
        inviter = Referral.objects.filter(referee=loser).values_list("referrer_id", flat=True)
        circle = inviter.first()
        if circle is not None and winner.pk in {circle, *ancestors(circle)}:
            return Q(pk__isnull=False)  # the winner has invited the loser, nearer or farther
        return collides
    # Nobody invites themselves, nor those by whom they were invited.
    return Q(referee_id__in=[winner.pk, *ancestors(winner.pk)])


def reason(relation: Relation) -> str:
    """Return why those rows stay that match ``stays``."""
    reasons: dict[Any, str] = {PhoneNumber: FREED, WechatProfile: FILLS, Referral: CIRCLE}
    return reasons.get(relation.model, COLLIDES)


def ancestors(user_id: Any) -> list[Any]:
    """Return the keys of who invited this user, who invited those, and so on. One query each."""
    found: list[Any] = []
    current = user_id
    while True:
        rows = Referral.objects.filter(referee_id=current).values_list("referrer_id", flat=True)
        current = rows.first()
        if current is None or current == user_id or current in found:
            return found
        found.append(current)


def lock_inviters(*users: HostUser) -> None:
    """
    Lock who invited these users, who invited those, and so on, until the transaction ends.

    Two merges at once could else close a circle of which each sees one half.
    """
    for user in users:
        held: set[Any] = set()
        # Again until it is the same, for it may have grown while we waited.
        while more := {user.pk, *ancestors(user.pk)} - held:
            rows = Referral.objects.filter(referee__in=more).order_by("pk")
            list(rows.select_for_update().values_list("pk", flat=True))
            held |= more


def fill_profile(merge: Merge, *, winner: HostUser, loser: HostUser) -> None:
    """Fill what is blank in the winner's profile, if both have one, from the loser's."""
    mine, other = WechatProfile.objects.of(winner), WechatProfile.objects.of(loser)
    if mine is None or other is None:
        return
    filled: dict[str, Any] = {}
    for name, blank in BLANKS.items():
        value = getattr(other, name)
        if getattr(mine, name) == blank and value != blank:
            setattr(mine, name, value)
            filled[name] = value
    added = {key: value for key, value in other.ext.items() if key not in mine.ext}
    mine.ext = {**mine.ext, **added}
    if filled or added:
        mine.save(update_fields=[*filled, "ext"])
        _note(merge, MergeStep.Kind.FILLED, WechatProfile, {"fields": filled, "ext": added})


def free_phone(merge: Merge, *, winner: HostUser, loser: HostUser) -> None:
    """
    Let go of the loser's number when the winner has one.

    With an account that nobody can enter it would be taken for ever. Undoing brings it back.
    """
    phone = PhoneNumber.objects.of(loser)
    if phone is None or PhoneNumber.objects.of(winner) is None:
        return
    kept = {"number": phone.number, "source": phone.source, "verified_at": phone.verified_at}
    _note(merge, MergeStep.Kind.REMOVED, PhoneNumber, kept)
    phone.delete()


def clear_conflicts(merge: Merge, *, winner: HostUser) -> None:
    """End the union conflicts of the winner's identities that were with the loser."""
    scopes = {app.app_id: app.union_scope for app in conf.apps.values()}
    ended: dict[str, Any] = {}
    for identity in WechatIdentity.objects.filter(user=winner, union_conflict_at__isnull=False):
        scope = scopes.get(identity.app_id)
        if WechatUnion.objects.filter(scope=scope, unionid=identity.unionid, user=winner).exists():
            ended[str(identity.pk)] = identity.union_conflict_at
    if ended:
        WechatIdentity.objects.filter(pk__in=ended).update(union_conflict_at=None)
        _note(merge, MergeStep.Kind.CLEARED, WechatIdentity, ended)


def undo(step: MergeStep, *, winner: HostUser, loser: HostUser) -> bool:
    """Undo a step of one of the functions above; tell whether all of it went back."""
    match step.kind:
        case MergeStep.Kind.FILLED:
            _empty_profile(step, winner)
        case MergeStep.Kind.REMOVED:
            return _bring_back_phone(step, loser)
        case MergeStep.Kind.CLEARED:
            for key, since in step.data.items():
                identities = WechatIdentity.objects.filter(pk=key, union_conflict_at__isnull=True)
                identities.update(union_conflict_at=parse_datetime(since))
    return True


def revoke_sessions(user: HostUser, *, now: datetime, identities: Q | None = None) -> list[Any]:
    """End the user's sessions, batch by batch; return the ids of those that were still good."""
    rows = LoginSession.objects.filter(identities or Q(), user=user, revoked_at__isnull=True)
    good = list(rows.filter(expires_at__gt=now).values_list("pk", flat=True))
    while batch := list(rows.values_list("pk", flat=True)[:BATCH]):
        LoginSession.objects.revoke(batch, now=now)
    return good


def _empty_profile(step: MergeStep, winner: HostUser) -> None:
    profile = WechatProfile.objects.of(winner)
    if profile is None:
        return
    for name, value in step.data["fields"].items():
        if getattr(profile, name) == value:  # else the user has changed it since
            setattr(profile, name, BLANKS[name])
    added = step.data["ext"]
    profile.ext = {
        key: value for key, value in profile.ext.items() if key not in added or added[key] != value
    }
    profile.save(update_fields=[*BLANKS, "ext"])


def _bring_back_phone(step: MergeStep, loser: HostUser) -> bool:
    data = {**step.data, "verified_at": parse_datetime(step.data["verified_at"])}
    try:
        with transaction.atomic(using=transactions.database()):
            PhoneNumber.objects.create(user=loser, **data)
    except IntegrityError:  # it belongs to somebody by now
        return False
    return True


def _note(merge: Merge, kind: MergeStep.Kind, model: Any, data: dict[str, Any]) -> None:
    MergeStep.objects.create(merge=merge, kind=kind, model=model._meta.label, data=data)
