"""Codes and counts, each decided by one statement."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from wxauth.models import (
        SmsCode,
    )


class SmsCodeManager(models.Manager["SmsCode"]):
    def claim(
        self,
        *,
        number: str,
        purpose: str,
        digest: str,
        now: datetime,
        expires_at: datetime,
        gap: timedelta,
    ) -> bool:
        """
        Put a new code in the place of the old one, unless that is younger than ``gap``.

        Of many callers at once, one is told True. ``IntegrityError`` for two who were the first:
        run again.
        """
        fresh = {"digest": digest, "attempts": 0, "sent_at": now, "expires_at": expires_at}
        rows = self.filter(number=number, purpose=purpose)
        if rows.filter(sent_at__lte=now - gap).update(**fresh):
            return True
        if rows.exists():
            return False
        self.create(number=number, purpose=purpose, **fresh)
        return True

    def find(self, *, number: str, purpose: str) -> SmsCode | None:
        """Return the row, whether its code is live or not."""
        return self.filter(number=number, purpose=purpose).first()

    def give_back(self, *, number: str, purpose: str, digest: str, sent_at: datetime) -> None:
        """Forget a code that was never sent, and move its time to ``sent_at``."""
        self.filter(number=number, purpose=purpose, digest=digest).update(
            digest="", sent_at=sent_at, expires_at=sent_at
        )

    def count_attempt(self, *, number: str, purpose: str, now: datetime, limit: int) -> bool:
        """
        Count an attempt at the live code; tell whether it was within ``limit``.

        One statement: the row's lock makes parallel attempts wait for each other's count.
        """
        live = self.filter(number=number, purpose=purpose, expires_at__gt=now).exclude(digest="")
        return bool(live.filter(attempts__lt=limit).update(attempts=models.F("attempts") + 1))

    def spend(self, pk: int, digest: str) -> bool:
        """End the code. Of many callers at once, one is told True."""
        return bool(self.filter(pk=pk, digest=digest).exclude(digest="").update(digest=""))


class TallyManager(models.Manager):
    def add_one(self, name: str, *, limit: int, expires_at: datetime) -> bool:
        """
        Count one more; tell whether it was within ``limit``, without counting beyond it.

        ``IntegrityError`` for two who were the first: run again.
        """
        rows = self.filter(name=name)
        if rows.filter(count__lt=limit).update(count=models.F("count") + 1):
            return True
        # Not just any row: one that somebody has made since the update above still has room.
        if limit < 1 or rows.filter(count__gte=limit).exists():
            return False
        self.create(name=name, count=1, expires_at=expires_at)
        return True

    def take_back(self, names: Iterable[str]) -> None:
        """Count one less of each."""
        self.filter(name__in=list(names), count__gt=0).update(count=models.F("count") - 1)
