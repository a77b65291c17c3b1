"""
Import people from CSV, and what the same number of bare rows costs in one table.

    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python -m benchmarks.importing

Prints the time, the rows per second, how much memory the process grew by, and the ratio to the
floor: ``bulk_create`` of the users alone, in batches of the same size. The tables are made in a
database of their own, which is dropped at the end.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import django
import psutil

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
os.environ.setdefault("DEBUG", "0")
os.environ.setdefault("SECRET_KEY", "only for benchmarks " * 3)
os.environ.setdefault("WXAUTH_APPS", '{"default": {"app_id": "wxb", "app_secret": "made-up"}}')
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402  (after setup)
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from wxauth import users  # noqa: E402
from wxauth.management.commands.wxauth_import import BATCH  # noqa: E402
from wxauth.models import Referral, WechatIdentity  # noqa: E402


def write_file(path: Path, rows: int) -> None:
    """Write people, nine of ten with a number, each but the first with an inviter."""
    with path.open("w") as file:
        file.write("openid,unionid,uid,phone,referrer,nickname,registered_at\n")
        for uid in range(1, rows + 1):
            phone = f"13{uid:09}" if uid % 10 else ""
            file.write(
                f"oBench{uid:022},uBench{uid:023},{uid},{phone},{uid // 2 or ''},"
                f"person {uid},2024-05-01 09:30:00\n"
            )


def floor(rows: int) -> float:
    """Return the seconds that as many users alone take."""
    model = get_user_model()
    began = time.perf_counter()
    for start in range(1, rows + 1, BATCH):
        people = [users.build_user() for _ in range(start, min(start + BATCH, rows + 1))]
        model._default_manager.bulk_create(people)
    return time.perf_counter() - began


def measure(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "people.csv")
        write_file(path, rows)
        memory = psutil.Process().memory_info().rss
        began = time.perf_counter()
        call_command("wxauth_import", str(path))
        seconds = time.perf_counter() - began
        grown = psutil.Process().memory_info().rss - memory
        began = time.perf_counter()
        call_command("wxauth_import", str(path), verbosity=0)
        again = time.perf_counter() - began
    bare = floor(rows)
    assert WechatIdentity.objects.count() == rows
    assert Referral.objects.count() == rows - 1
    print(f"{connection.vendor}: {rows} people")
    print(
        f"  import: {seconds:.1f} s, {rows / seconds:.0f} rows/s, memory +{grown / 2**20:.0f} MiB"
    )
    print(f"  floor, users alone: {bare:.1f} s; ratio {seconds / bare:.2f}")
    print(f"  the same file once more: {again:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    before = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        measure(options.rows)
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)


if __name__ == "__main__":
    main()
