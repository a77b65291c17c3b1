"""The audit trail: rows are added, once or always."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import QuerySet

from wxauth.conf import HostUser
from wxauth.devices import NOWHERE, Device

if TYPE_CHECKING:
    from wxauth.models import (
        AuditEvent,
    )


REFUSALS = timedelta(hours=1)  # of one kind and user, one is written down in this time


class AuditEventManager(models.Manager["AuditEvent"]):
    def record(
        self,
        kind: str,
        *,
        user: HostUser | None,
        actor: HostUser | None = None,
        device: Device = NOWHERE,
        **fields: Any,
    ) -> AuditEvent:
        """Add one row. ``actor`` is who did it, when it is not ``user``."""
        length = self.model._meta.get_field("user_agent").max_length
        doer = actor if actor is not None else user
        return self.create(
            kind=kind,
            user=user,
            user_key="" if user is None else str(user.pk),
            actor=doer,
            actor_key="" if doer is None else str(doer.pk),
            user_agent=device.user_agent[:length],
            ip_address=device.ip_address,
            **fields,
        )

    def record_once(
        self, kind: str, *, user: HostUser, now: datetime, **fields: Any
    ) -> AuditEvent | None:
        """
        Add one row, unless there is one of this kind and user that is younger than an hour.

        Only inside a transaction. A client that tries again and again costs one look each time;
        of many at once, one adds the row, since they wait for each other at the user's.
        """
        recent = self.filter(user_key=str(user.pk), kind=kind, at__gt=now - REFUSALS)
        if recent.exists():
            return None
        users = type(user)._base_manager.using(self.db)
        if not users.select_for_update().filter(pk=user.pk).exists() or recent.exists():
            return None
        return self.record(kind, user=user, at=now, **fields)

    def of(self, user: HostUser) -> QuerySet[AuditEvent]:
        """Return what happened to the account of this user."""
        return self.filter(user_key=str(user.pk))
