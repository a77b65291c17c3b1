"""Throwing away what ended long ago."""

from collections.abc import Iterator
from datetime import datetime

from wxauth import transactions
from wxauth.conf import conf
from wxauth.models import LoginSession, ProviderToken


def count_expired(*, before: datetime) -> int:
    """Return how many sessions expired earlier than ``before``. One query, along the index."""
    return LoginSession.objects.filter(expires_at__lt=before).count()


def purge_sessions(*, before: datetime, batch: int) -> Iterator[int]:
    """
    Delete the sessions that expired earlier than ``before``; yield the size of each batch.

    A batch is one short transaction, so nobody waits for long and nothing is lost when the
    process dies: the next run goes on. A revoked session goes when it would have expired.
    """
    after: datetime | None = None

    def step() -> tuple[int, datetime | None]:
        return LoginSession.objects.purge(before=before, after=after, limit=batch)

    while True:
        deleted, after = transactions.run(step)
        if not deleted:
            return
        yield deleted


def purge_provider_tokens(*, now: datetime, batch: int) -> int:
    """
    Delete the provider tokens that have ended; all of them, where the project keeps none any more.

    Return how many they were. A batch is one short transaction.
    """
    before = now if conf.keep_provider_tokens else None
    total = 0
    while True:
        deleted = transactions.run(lambda: ProviderToken.objects.purge(before=before, limit=batch))
        if not deleted:
            return total
        total += deleted
