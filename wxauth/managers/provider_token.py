"""Provider tokens: kept, replaced, forgotten."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

from wxauth.managers.rows import only, skipping_locked

if TYPE_CHECKING:
    from wxauth.models import ProviderToken, WechatIdentity


class ProviderTokenManager(models.Manager["ProviderToken"]):
    def of(self, identity: WechatIdentity) -> ProviderToken | None:
        """Return what is kept of this identity's grant, or None."""
        return only(self.filter(identity=identity))

    def keep(self, row: ProviderToken) -> None:
        """
        Write the row of a new grant over the one that is there, or as the first.

        The identity is locked by the caller, so nobody else writes its first one meanwhile.
        """
        if not self._replace(row, self.filter(identity_id=row.identity_id)):
            row.save(force_insert=True)

    def replace(self, row: ProviderToken) -> bool:
        """Write the renewed row. False when it is gone, or another one by now: look again."""
        return self._replace(row, self.filter(identity_id=row.identity_id, version=row.version))

    def forget(self, row: ProviderToken) -> None:
        """Delete the row, unless it is another one by now."""
        self.filter(pk=row.pk, version=row.version).delete()

    def purge(self, *, before: datetime | None, limit: int) -> int:
        """Delete at most ``limit`` rows that ended before then, or whatever rows there are."""
        rows = self.all() if before is None else self.filter(ends_at__lt=before)
        chosen = list(skipping_locked(rows).values_list("pk", flat=True)[:limit])
        self.filter(pk__in=chosen).delete()
        return len(chosen)

    @staticmethod
    def _replace(row: ProviderToken, rows: models.QuerySet) -> bool:
        return bool(
            rows.update(
                sealed=row.sealed,
                scope=row.scope,
                access_ends_at=row.access_ends_at,
                ends_at=row.ends_at,
                version=models.F("version") + 1,
            )
        )
