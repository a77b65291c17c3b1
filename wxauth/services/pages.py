"""Long lists in pages: each goes on where the one before it ended, whatever is added meanwhile."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from django.db.models import Model, QuerySet

T = TypeVar("T")
M = TypeVar("M", bound=Model)


class Position(NamedTuple):
    """A row's place in a list: its time, and its key for rows of one moment."""

    at: datetime
    key: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some rows, and where the next page begins; None when this is the last."""

    rows: list[T]
    next: Position | None


def newest(queryset: QuerySet[M], *, by: str, before: Position | None, limit: int) -> Page[M]:
    """
    Return at most ``limit`` rows after the position ``before``, newest first. One query.

    ``by`` is the field with the row's time. An index on it and the key makes the thousandth page
    as quick as the first.
    """
    if before is not None:
        # In two conditions: the first one is where the database starts to read the index.
        ties: dict[str, Any] = {by: before.at, "pk__gte": before.key}
        queryset = queryset.filter(**{f"{by}__lte": before.at}).exclude(**ties)
    rows = list(queryset.order_by(f"-{by}", "-pk")[: limit + 1])
    more = len(rows) > limit
    rows = rows[:limit]
    last = Position(getattr(rows[-1], by), rows[-1].pk) if more else None
    return Page(rows=rows, next=last)
