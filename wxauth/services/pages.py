"""Long lists in pages: each goes on where the one before it ended, whatever is added meanwhile."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar

from django.db.models import Model, QuerySet

T = TypeVar("T")
M = TypeVar("M", bound=Model)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)  # what our databases keep of a time

_POSITION = re.compile(r"([0-9]{1,17})-([0-9]{1,18})")


class Position(NamedTuple):
    """A row's place in a list: its time, and its key for rows of one moment."""

    at: datetime
    key: int

    def __str__(self) -> str:
        return f"{(self.at - EPOCH) // MICROSECOND}-{self.key}"

    @classmethod
    def read(cls, text: str) -> "Position | None":
        """Return the position that is written like this, or None."""
        found = _POSITION.fullmatch(text)
        return cls(EPOCH + int(found[1]) * MICROSECOND, int(found[2])) if found else None


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
