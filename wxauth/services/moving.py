"""Rows on their way from one user to another and back, chunk by chunk, each chunk written down."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps
from django.db import IntegrityError, connections, models, transaction
from django.db.models import Q, QuerySet

from wxauth import transactions
from wxauth.conf import HostUser
from wxauth.models import Merge, MergeStep
from wxauth.services.relations import Relation
from wxauth.signals import merge_moving, merge_undoing

logger = logging.getLogger("wxauth.merging")

CHUNK = 2000  # rows
LEAVE = "leave"  # what a receiver of merge_moving returns to keep all rows with the loser

Progress = Callable[[int], None]


def move(
    relation: Relation,
    stays: Q | None,
    *,
    merge: Merge,
    winner: HostUser,
    loser: HostUser,
    progress: Progress,
    note_left: bool = True,
) -> int:
    """
    Point the loser's rows to the winner, but for those that match ``stays``; return how many.

    A row that a constraint of the database refuses stays too, whatever kind of constraint it is.
    One chunk of primary keys is in memory at a time.
    """
    rows = relation.rows()
    if not rows.exists():
        return 0
    if _is_left(relation, stays, winner=winner, loser=loser):
        return 0
    moved = 0
    for chunk in _chunks(rows):
        # Asked after the receivers have spoken, who may have made room.
        keep = set() if stays is None else set(_keys(rows.filter(stays, pk__in=chunk)))
        free = [key for key in chunk if key not in keep]
        taken, refused = _update(rows, free, relation.field, relation.winner_value)
        _note(merge, MergeStep.Kind.MOVED, relation, taken)
        if note_left:
            _note(merge, MergeStep.Kind.LEFT, relation, [*keep, *refused])
        moved += len(taken)
        progress(len(chunk))
    return moved


def move_back(step: MergeStep, *, winner: HostUser, loser: HostUser) -> list[Any]:
    """
    Point those rows of a ``moved`` step back to the loser that still point to the winner.

    Return the keys of the rows that could not go back, since something else took their place.
    """
    try:
        model = apps.get_model(step.model)
        field: Any = model._meta.get_field(step.field)
    except LookupError:
        logger.warning("merge %s: there is no %s any more", step.merge_id, step.model)
        return list(step.keys)
    value = _value_of(field, winner)
    back = _value_of(field, loser)
    keys = [tuple(key) if isinstance(key, list) else key for key in step.keys]
    rows: QuerySet = QuerySet(model, using=transactions.database()).filter(**{field.attname: value})
    merge_undoing.send(
        sender=model, field=field.name, rows=rows.filter(pk__in=keys), winner=winner, loser=loser
    )
    there = set(_keys(rows.filter(pk__in=keys)))
    _taken, refused = _update(rows, list(there), field, back)
    return refused


def _is_left(relation: Relation, stays: Q | None, *, winner: HostUser, loser: HostUser) -> bool:
    rows = relation.rows()
    answers = merge_moving.send(
        sender=relation.model,
        field=relation.field.name,
        rows=rows,
        collisions=rows.none() if stays is None else rows.filter(stays),
        winner=winner,
        loser=loser,
    )
    return any(answer == LEAVE for _receiver, answer in answers)


def _chunks(rows: QuerySet) -> Iterator[list[Any]]:
    # By keyset, not by cursor: MySQL's driver would fetch all keys at once.
    ordered = rows.order_by("pk")
    chunk = list(_keys(ordered[:CHUNK]))
    while chunk:
        yield chunk
        chunk = list(_keys(ordered.filter(pk__gt=chunk[-1])[:CHUNK]))


def _keys(rows: QuerySet) -> QuerySet:
    return rows.values_list("pk", flat=True)


def _update(rows: QuerySet, keys: list[Any], field: Any, value: Any) -> tuple[list[Any], list[Any]]:
    """Point these rows to ``value``; return the keys of those that went and that were refused."""
    if not keys:
        return [], []
    connection = connections[rows.db]
    try:
        with transaction.atomic(using=rows.db):
            rows.filter(pk__in=keys).update(**{field.attname: value})
            if connection.features.supports_deferrable_unique_constraints:
                # Now, while it costs one chunk, and not at the end, where it would cost all.
                connection.check_constraints()
        return keys, []
    except IntegrityError:
        if len(keys) == 1:
            return [], keys
    middle = len(keys) // 2
    first, second = (_update(rows, half, field, value) for half in (keys[:middle], keys[middle:]))
    return first[0] + second[0], first[1] + second[1]


def _note(merge: Merge, kind: MergeStep.Kind, relation: Relation, keys: list[Any]) -> None:
    if keys:
        MergeStep.objects.create(
            merge=merge, kind=kind, model=relation.label, field=relation.field.name, keys=keys
        )


def _value_of(field: models.ForeignKey, user: HostUser) -> Any:
    target = field.target_field
    if isinstance(user, target.model):
        return getattr(user, target.attname)
    part = QuerySet(target.model, using=transactions.database()).filter(pk=user.pk).first()
    return getattr(part, target.attname, None)
