"""Deletion requests: asked, withdrawn, claimed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import QuerySet

from wxauth.conf import HostUser
from wxauth.managers.rows import skipping_locked

if TYPE_CHECKING:
    from wxauth.models import (
        DeletionRequest,
    )


class DeletionRequestManager(models.Manager["DeletionRequest"]):
    def ask(
        self, user: HostUser, *, source: str, now: datetime, due_at: datetime
    ) -> tuple[DeletionRequest, bool]:
        """Return the user's request, and whether it is new. The first one counts."""
        return self.get_or_create(
            user=user, defaults={"source": source, "requested_at": now, "due_at": due_at}
        )

    def withdraw(self, request: DeletionRequest) -> bool:
        """Take the request back. Of all who do so or carry it out at once, one is told True."""
        return bool(self.filter(pk=request.pk).delete()[0])

    def due(self, *, now: datetime) -> QuerySet[DeletionRequest]:
        """Return what is due and was not tried since ``now``; what never failed comes first."""
        return self.filter(
            models.Q(failed_at__isnull=True) | models.Q(failed_at__lt=now), due_at__lte=now
        ).order_by(models.F("failed_at").asc(nulls_first=True), "due_at", "pk")

    def claim(self, pk: Any, *, now: datetime) -> DeletionRequest | None:
        """Lock this request if it is still due; None when it is gone, or somebody else has it."""
        return skipping_locked(self.filter(pk=pk, due_at__lte=now)).first()
