"""The audit trail: what services add to it, what users see of it, and when it is forgotten."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from time import monotonic
from typing import Any

from django.utils import timezone

from wxauth import transactions
from wxauth.conf import HostUser
from wxauth.devices import NOWHERE, Device
from wxauth.exceptions import UserInactive
from wxauth.models import AuditEvent
from wxauth.services.pages import Page, Position, newest

BATCH = 1000  # rows that the first statement deletes
QUICK, SLOW = 0.1, 0.4  # seconds of a statement, after which the next batch grows or shrinks
LARGEST = 10_000


def record(
    kind: AuditEvent.Kind,
    *,
    user: HostUser | None,
    actor: HostUser | None = None,
    device: Device = NOWHERE,
    app: str = "",
    **facts: Any,
) -> AuditEvent:
    """
    Write down what happened to ``user``, inside the transaction in which it happens.

    ``actor`` is who did it, when it is somebody else. ``facts`` must be JSON, and must hold no
    secret, no code, and no whole phone number.
    """
    return AuditEvent.objects.record(
        kind, user=user, actor=actor, app=app, device=device, facts=facts
    )


def record_refusal(
    kind: AuditEvent.Kind,
    *,
    user: HostUser,
    device: Device = NOWHERE,
    app: str = "",
    **facts: Any,
) -> None:
    """
    Write down that something was refused to ``user``, in a transaction of its own.

    After the one that has been undone. Once in an hour for each kind and user: a client that is
    banned and tries for ever must not fill the table.
    """
    now = timezone.now()
    transactions.run(
        lambda: AuditEvent.objects.record_once(
            kind, user=user, now=now, device=device, app=app, facts=facts
        )
    )


@contextmanager
def refusals(*, device: Device, app: str) -> Iterator[None]:
    """
    Write down a ``UserInactive`` that leaves this block, which raises it all the same.

    Put it around the transaction, not into it.
    """
    try:
        yield
    except UserInactive as error:
        if error.user is not None:
            kind = AuditEvent.Kind.SIGN_IN_REFUSED
            record_refusal(kind, user=error.user, device=device, app=app, reason=error.code)
        raise


def read_activity(
    *, user: HostUser, before: Position | None = None, limit: int
) -> Page[AuditEvent]:
    """Return what happened to the account of ``user``, newest first. One query."""
    return newest(AuditEvent.objects.of(user), by="at", before=before, limit=limit)


def count_events(*, before: datetime) -> int:
    """Return how many events are older than ``before``."""
    return AuditEvent.objects.filter(at__lt=before).count()


def forget_events(*, before: datetime) -> Iterator[int]:
    """
    Delete the events older than ``before``, the oldest first; yield the number of each batch.

    Each batch is a transaction of its own and holds its locks for less than a second: batches
    shrink and grow with the time they take. Who stops in between has lost nothing, and goes on
    by calling it again.
    """
    size = BATCH
    old = AuditEvent.objects.using(transactions.database()).filter(at__lt=before).order_by("at")
    while keys := list(old.values_list("pk", flat=True)[:size]):
        begun = monotonic()
        deleted, _ = transactions.run(AuditEvent.objects.filter(pk__in=keys).delete)
        elapsed = monotonic() - begun
        if elapsed > SLOW:
            size = max(size // 2, 1)
        elif elapsed < QUICK:
            size = min(size * 2, LARGEST)
        yield deleted
