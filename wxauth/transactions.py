"""Transactions in which the database decides a race, and the loser looks again."""

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from django.db import IntegrityError, OperationalError, connections, router, transaction
from django.dispatch import Signal

from wxauth.models import WechatIdentity

T = TypeVar("T")

ATTEMPTS = 6
SENDER = "wxauth"  # who speaks is the library; what happened is the signal itself
PAUSE = 0.02  # seconds, doubled each time and spread at random

# What the databases say when they have undone a transaction that is worth trying again:
# PostgreSQL's serialization_failure and deadlock_detected, MySQL's lock wait timeout and deadlock.
SQLSTATES = {"40001", "40P01"}
MYSQL_ERRORS = {1205, 1213}


def database() -> str:
    """Return the alias of the database that holds our tables."""
    return router.db_for_write(WechatIdentity)


def run(step: Callable[[], T]) -> T:
    """
    Run ``step`` in one transaction and return what it returns.

    When a constraint or a deadlock refuses it, nothing of it remains and it runs again from its
    first line, so it must read what it decides by. After ``ATTEMPTS`` times the database's error
    goes to the caller: then no race is to blame.
    """
    return _run(step, durable=False)


def run_for_good(step: Callable[[], T]) -> T:
    """
    Do what ``run`` does, for what must not be undone by whoever calls: a count of attempts.

    ``RuntimeError`` inside a transaction of the caller's, whose end could undo it.
    """
    return _run(step, durable=True)


def _run(step: Callable[[], T], *, durable: bool) -> T:
    using = database()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic(using=using, durable=durable):
                return step()
        except IntegrityError:
            if attempt == ATTEMPTS:
                raise
        except OperationalError as error:
            # Inside a transaction of the host's, which the database has undone as a whole, there
            # is nothing left to repeat.
            if (
                attempt == ATTEMPTS
                or connections[using].in_atomic_block
                or not _was_contention(error)
            ):
                raise
        time.sleep(random.uniform(0, PAUSE * 2**attempt))  # noqa: S311  # spreads, hides nothing
    raise AssertionError("unreachable")


def send_after_commit(signal: Signal, **arguments: Any) -> None:
    """Send the signal once the transaction has been committed; a receiver's fault is logged."""
    transaction.on_commit(partial(signal.send_robust, sender=SENDER, **arguments), using=database())


def run_after_commit(call: Callable[[], object]) -> None:
    """Call this once the transaction has been committed; its fault is logged, and nothing more."""
    transaction.on_commit(call, using=database(), robust=True)


def _was_contention(error: OperationalError) -> bool:
    cause = error.__cause__
    if getattr(cause, "sqlstate", None) in SQLSTATES:
        return True
    number = cause.args[0] if cause and cause.args else None
    return number in MYSQL_ERRORS or (isinstance(number, str) and "locked" in number)
