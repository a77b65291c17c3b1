"""What several managers ask of rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from django.db import connections
from django.db.models import QuerySet

if TYPE_CHECKING:
    pass

T = TypeVar("T")


def only(rows: Iterable[T]) -> T | None:
    """Return the one row that a unique key finds, or None. ``first()`` also has it sorted."""
    return next(iter(rows), None)


def skipping_locked(rows: QuerySet) -> QuerySet:
    """
    Lock what the query gives, and leave out what others have locked.

    SQLite has one lock for all, which the transaction took when it began.
    """
    features = connections[rows.db].features
    return rows.select_for_update(skip_locked=features.has_select_for_update_skip_locked)
