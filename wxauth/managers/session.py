"""Sessions: found, rotated, revoked, purged."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models
from django.db.models import QuerySet

from wxauth.conf import HostUser
from wxauth.managers.rows import only, skipping_locked

if TYPE_CHECKING:
    from wxauth.models import (
        LoginSession,
        WechatIdentity,
    )


class LoginSessionManager(models.Manager["LoginSession"]):
    def find(self, sid: UUID) -> LoginSession | None:
        """Return the session with its user, open or not. One query."""
        return only(self.select_related("user").filter(pk=sid))

    def rotate(
        self, sid: UUID, generation: int, *, rotated_at: datetime, expires_at: datetime
    ) -> bool:
        """
        Move an open session on from ``generation``. Of many callers at once, one is told True.

        Compare and swap in one statement: the row's lock makes the others wait, and then the
        generation is no longer theirs.
        """
        return bool(
            self.filter(
                pk=sid,
                generation=generation,
                revoked_at__isnull=True,
                expires_at__gt=rotated_at,
            ).update(generation=generation + 1, rotated_at=rotated_at, expires_at=expires_at)
        )

    def revoke(self, sids: Iterable[UUID], *, now: datetime) -> int:
        """End these sessions; return how many of them were not ended before."""
        return self.filter(pk__in=list(sids), revoked_at__isnull=True).update(revoked_at=now)

    def open_of(self, user: HostUser, *, now: datetime) -> QuerySet[LoginSession]:
        """Return the user's sessions that have been neither revoked nor expired."""
        return self.filter(user=user, revoked_at__isnull=True, expires_at__gt=now)

    def open_by(self, identities: Iterable[WechatIdentity], *, now: datetime) -> list[UUID]:
        """Return the ids of the open sessions that began with one of these identities."""
        rows = self.filter(identity__in=identities, revoked_at__isnull=True, expires_at__gt=now)
        return list(rows.values_list("id", flat=True))

    def purge(
        self, *, before: datetime, after: datetime | None, limit: int
    ) -> tuple[int, datetime | None]:
        """
        Delete at most ``limit`` sessions that expired earlier than ``before``, the oldest first.

        Return how many they were, and when the last of them expired: the next call's ``after``,
        so that it need not walk over what this one has deleted. Rows that somebody else has
        locked are left to them. For use in a transaction.
        """
        rows = self.filter(expires_at__lt=before)
        if after is not None:
            rows = rows.filter(expires_at__gte=after)
        chosen = list(
            skipping_locked(rows).order_by("expires_at").values_list("pk", "expires_at")[:limit]
        )
        if not chosen:
            return 0, after
        self.filter(pk__in=[pk for pk, _ in chosen]).delete()
        return len(chosen), chosen[-1][1]
