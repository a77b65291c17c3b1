"""Merges that are planned, and those that run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import QuerySet

from wxauth.conf import HostUser

if TYPE_CHECKING:
    from wxauth.models import (
        Merge,
    )


class MergeManager(models.Manager["Merge"]):
    def plan(self, *, winner: HostUser, loser: HostUser, plan: dict[str, Any]) -> Merge:
        """Write the plan down, over an earlier one of these two users that came to nothing."""
        key = {"winner_key": str(winner.pk), "loser_key": str(loser.pk)}
        merge = self.filter(**key, state=self.model.State.PLANNED).order_by("-pk").first()
        merge = merge or self.model(winner=winner, loser=loser, **key)
        merge.plan = plan
        merge.save()
        return merge

    def running(self, users: Iterable[HostUser], *, since: datetime) -> QuerySet[Merge]:
        """Return the merges of any of these users that were confirmed and have not ended."""
        keys = [str(user.pk) for user in users]
        return self.filter(
            models.Q(winner_key__in=keys) | models.Q(loser_key__in=keys),
            state=self.model.State.CONFIRMED,
            confirmed_at__gt=since,
        )
