"""What a merge of two users would do, and whether it may be done at all."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import override

from wxauth import backends, transactions
from wxauth.conf import HostUser
from wxauth.exceptions import MergeRefused, MergeRunning
from wxauth.models import DeletionRequest, Merge
from wxauth.services import own_rows, relations
from wxauth.services.relations import Relation, find_relations

ABANDONED = timedelta(hours=1)  # after which a merge that neither ended nor failed was killed
# Named in every plan, whether or not there are rows: nobody looks.
NOT_COUNTED = {relations.ELSEWHERE, relations.UNMANAGED, relations.COMPOSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLine:
    """What becomes of the rows that point to the losing user by one field of one model."""

    model: str  # "app_label.Model"
    field: str
    name: str  # as the admin calls the model
    moves: int
    stays: int
    why: str  # why they stay; in English, marked for translation


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePlan:
    """Each model that has rows of the losing user."""

    winner: HostUser
    loser: HostUser
    lines: tuple[PlanLine, ...]

    @property
    def moves(self) -> int:
        """How many rows will move."""
        return sum(line.moves for line in self.lines)

    @property
    def stays(self) -> int:
        """How many rows will stay with the user who is switched off."""
        return sum(line.stays for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        """Return what is kept of the plan with the merge."""
        names = ("model", "field", "name", "moves", "stays", "why")
        return {"lines": [{name: getattr(line, name) for name in names} for line in self.lines]}


def plan_merge(*, winner: HostUser, loser: HostUser) -> MergePlan:
    """
    Return what a merge would do now. Reads only: two counts for each field that points to users.

    Raise ``MergeRefused`` or ``MergeRunning`` when these two may not be merged. A row that only
    the database can tell to collide, by a constraint with expressions, counts as one that moves.
    """
    winner, loser = reload_users(winner, loser)
    check_allowed(winner, loser)
    lines = [_line(relation, winner, loser) for relation in find_relations(winner, loser)]
    lines += [
        PlanLine(
            model=model._meta.label,
            field=field,
            name=_name(model),
            moves=0,
            stays=count,
            why=relations.GENERIC,
        )
        for model, field, count in relations.find_generic(loser)
    ]
    found = tuple(line for line in lines if line.moves or line.stays or line.why in NOT_COUNTED)
    return MergePlan(winner=winner, loser=loser, lines=found)


def check_allowed(winner: HostUser, loser: HostUser, *, merge: Merge | None = None) -> None:
    """Raise ``MergeRefused`` or ``MergeRunning`` unless these two may be merged, by ``merge``."""
    if winner.pk == loser.pk:
        raise MergeRefused(reason="both are the same user")
    since = timezone.now() - ABANDONED
    running = Merge.objects.running([winner, loser], since=since)
    if any(other != merge for other in running):
        raise MergeRunning(reason="a merge of one of these users is running")
    if any(getattr(loser, name, False) for name in ("is_staff", "is_superuser")):
        raise MergeRefused(reason=f"user {loser.pk} has privileges")
    if not any(field.name == "is_active" for field in loser._meta.concrete_fields):
        raise MergeRefused(reason="the user model has no field is_active")
    for user in (winner, loser):
        # A ban must not be escaped from, and a merged user has nothing left.
        if not user.is_active or not backends.may_enter(user) or is_merged(user):
            raise MergeRefused(reason=f"user {user.pk} is not active")
        # Whoever has asked to be forgotten does not live on in another account, and who goes in a
        # few days is nobody to keep things for. They may come back first, or the operator may
        # withdraw it.
        if DeletionRequest.objects.filter(user=user).exists():
            raise MergeRefused(reason=f"user {user.pk} waits for deletion")


def is_merged(user: HostUser) -> bool:
    """Tell whether this user has been merged into another."""
    return Merge.objects.filter(loser_key=str(user.pk), state=Merge.State.DONE).exists()


def merged_into(user_key: Any) -> HostUser | None:
    """
    Return the user in whom the user with this key lives on, however often that was merged again.

    None when there has been no such merge, or the last one of them is gone.
    """
    winner, seen = None, set()
    key = str(user_key)
    while key not in seen:
        seen.add(key)
        merge = (
            Merge.objects.select_related("winner")
            .filter(loser_key=key, state=Merge.State.DONE)
            .order_by("-done_at")
            .first()
        )
        if merge is None:
            return winner
        winner, key = merge.winner, merge.winner_key
    return None  # merged, switched on by hand, and merged the other way round


def merged_users(user: HostUser) -> list[HostUser]:
    """
    Return the users who live on in this one: merged into them, or into one of those.

    Without those whom somebody has switched on again by hand, who are users of their own.
    """
    found: dict[Any, HostUser] = {}
    keys = {user.pk}
    while keys:
        done = Merge.objects.select_related("loser").filter(winner__in=keys, state=Merge.State.DONE)
        new = {merge.loser_id: merge.loser for merge in done if merge.loser_id not in found}
        keys = {key for key, loser in new.items() if loser is not None and not loser.is_active}
        keys.discard(user.pk)
        found |= {key: new[key] for key in keys}
    return list(found.values())


def reload_users(*users: HostUser) -> list[HostUser]:
    """Return the users as the database has them now; ``MergeRefused`` when one is gone."""
    rows: models.QuerySet = models.QuerySet(get_user_model(), using=transactions.database())
    found = rows.in_bulk([user.pk for user in users])
    if not all(user.pk in found for user in users):
        raise MergeRefused(reason="one of the users is gone")
    return [found[user.pk] for user in users]


def _line(relation: Relation, winner: HostUser, loser: HostUser) -> PlanLine:
    moves, remain, why = 0, 0, relation.why_left
    if why and why not in NOT_COUNTED:
        remain = relation.rows().count()
    elif not why:
        rows, condition = relation.rows(), own_rows.stays(relation, winner=winner, loser=loser)
        moves = rows.count()
        remain = rows.filter(condition).count() if moves and condition is not None else 0
        moves, why = moves - remain, own_rows.reason(relation) if remain else ""
    return PlanLine(
        model=relation.label,
        field=relation.field.name,
        name=_name(relation.model),
        moves=moves,
        stays=remain,
        why=why,
    )


def _name(model: type[models.Model]) -> str:
    with override("en"):
        return capfirst(str(model._meta.verbose_name_plural))
