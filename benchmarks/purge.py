"""
Purge a million expired sessions, and watch how long anybody could have to wait for it.

    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python -m benchmarks.purge

Prints the time of the whole, of the longest statement and of the longest transaction, and the
longest time that a sign-in's INSERT took meanwhile. The tables are made in a database of their own,
which is dropped at the end.
"""

import argparse
import os
import statistics
import threading
import time
from datetime import timedelta
from typing import Any

import django
import psutil

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
os.environ.setdefault("DEBUG", "0")
os.environ.setdefault("SECRET_KEY", "only for benchmarks " * 3)
os.environ.setdefault("WXAUTH_APPS", '{"default": {"app_id": "wxb", "app_secret": "made-up"}}')
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402  (after setup)
from django.db import connection, connections  # noqa: E402
from django.utils import timezone  # noqa: E402

from wxauth.management.commands.wxauth_purge import BATCH  # noqa: E402
from wxauth.models import LoginSession  # noqa: E402
from wxauth.services.purging import purge_sessions  # noqa: E402

CHUNK = 10_000  # rows that are made at a time
PAUSE = 0.005  # seconds between two sign-ins


def fill(rows: int, *, kept: int) -> Any:
    """Make sessions that expired over the last year, and some that are open; return their user."""
    user = get_user_model()._default_manager.create(username="somebody")
    now = timezone.now()
    for start in range(0, rows + kept, CHUNK):
        LoginSession.objects.bulk_create(
            LoginSession(
                user=user,
                rotated_at=now,
                user_agent="Mozilla/5.0 (iPhone) MicroMessenger/8.0.54",
                expires_at=now + timedelta(days=30) if n >= rows else now - timedelta(seconds=n),
            )
            for n in range(start, min(start + CHUNK, rows + kept))
        )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE wxauth_loginsession")
    return user


def sign_ins(user: Any, stop: threading.Event, times: list[float]) -> None:
    """Open sessions until told to stop; note how long each took."""
    while not stop.wait(PAUSE):
        start, now = time.perf_counter(), timezone.now()
        LoginSession.objects.create(user=user, rotated_at=now, expires_at=now + timedelta(days=30))
        times.append(time.perf_counter() - start)
    connections.close_all()


def measure(rows: int, batch: int) -> None:
    user = fill(rows, kept=rows // 10)
    statements: list[float] = []
    batches: list[float] = []
    inserts: list[float] = []

    def watch(execute: Any, *arguments: Any) -> Any:
        start = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            statements.append(time.perf_counter() - start)

    stop = threading.Event()
    others = threading.Thread(target=sign_ins, args=(user, stop, inserts))
    others.start()
    memory = psutil.Process().memory_info().rss
    began = last = time.perf_counter()
    deleted = 0
    with connection.execute_wrapper(watch):
        for count in purge_sessions(before=timezone.now(), batch=batch):
            deleted += count
            batches.append(time.perf_counter() - last)
            last = time.perf_counter()
    total = time.perf_counter() - began
    grown = psutil.Process().memory_info().rss - memory
    stop.set()
    others.join()
    assert deleted == rows, deleted
    print(f"{connection.vendor}: {deleted} sessions in batches of {batch}")
    print(f"  whole: {total:.1f} s, {deleted / total:.0f} rows/s, memory +{grown / 2**20:.0f} MiB")
    print(f"  longest statement: {max(statements) * 1000:.0f} ms")
    print(f"  longest transaction: {max(batches) * 1000:.0f} ms")
    print(
        f"  sign-ins meanwhile: {len(inserts)}, INSERT p50"
        f" {statistics.median(inserts) * 1000:.1f} ms, longest {max(inserts) * 1000:.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=BATCH)
    options = parser.parse_args()
    before = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        measure(options.rows, options.batch)
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)


if __name__ == "__main__":
    main()
