"""
What the questions about referrals cost the database, with a million rows.

    DATABASE_URL=postgres://… python -m benchmarks.referrals [--rows 1000000] [--plan]

One user has 10 000 descendants in three levels (100, 2000, 7900), another has invited 10 000 people
alone; all others stand in a tree in which everybody has invited four. The database is one of its
own, and goes away afterwards. Times are those of the whole call, result included.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
os.environ.setdefault("DEBUG", "0")
os.environ.setdefault("SECRET_KEY", "only for benchmarks " * 3)
os.environ.setdefault("WXAUTH_APPS", '{"default": {"app_id": "wxb", "app_secret": "made-up"}}')
django.setup()

from django.contrib.auth.models import User  # noqa: E402  (after setup)
from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from wxauth.models import Referral  # noqa: E402
from wxauth.services import read_referrals  # noqa: E402
from wxauth.services.pages import Position  # noqa: E402

TREE, STAR = 1, 10_002  # the keys of the two users
CROWD = 20_003  # the first key of the others
LEVELS = [100, 2000, 7900]
RUNS = 50

NUMBERS = """
    WITH RECURSIVE d (x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM d WHERE x < 9),
    n (i) AS (
        SELECT 1 + a.x + 10 * b.x + 100 * c.x + 1000 * e.x + 10000 * f.x + 100000 * g.x
        FROM d a, d b, d c, d e, d f, d g
        UNION ALL SELECT 1000001)
"""
USERS = f"""
    INSERT INTO auth_user (id, username, password, first_name, last_name, email,
        is_staff, is_active, is_superuser, date_joined)
    {NUMBERS}
    SELECT i, CONCAT('u', i), '!', '', '', '', %s, %s, %s, %s FROM n WHERE i <= %s"""
# In the tree 2 … 101 belong to 1, the next 2000 to those by turns, the next 7900 to these.
REFERRALS = f"""
    INSERT INTO wxauth_referral (referee_id, referrer_id, scene, created_at)
    {NUMBERS}
    SELECT i, CASE
        WHEN i <= 101 THEN {TREE}
        WHEN i <= 2101 THEN 2 + MOD(i, 100)
        WHEN i <= 10001 THEN 102 + MOD(i, 2000)
        WHEN i < {CROWD} THEN {STAR}
        ELSE {CROWD} + FLOOR((i - {CROWD} - 1) / 4) END, '', %s
    FROM n WHERE i > 1 AND i <> {STAR} AND i <> {CROWD} AND i <= %s"""


def fill(rows: int) -> None:
    """Make the users and their referrals."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(USERS, [False, True, False, now, rows])
        cursor.execute(REFERRALS, [now - timedelta(days=1), rows])
        # As they come in real life: spread over a year, and not in the order of who invited.
        seconds, earlier = "MOD(referee_id, 4000) * 7884", "INTERVAL {} SECOND"
        if connection.vendor == "postgresql":
            earlier = "{} * INTERVAL '1 second'"
        change = f"created_at = created_at - {earlier.format(f'({seconds})')}"
        cursor.execute(f"UPDATE wxauth_referral SET {change}")
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE wxauth_referral")
            cursor.execute("VACUUM ANALYZE auth_user")
        else:
            cursor.execute("ANALYZE TABLE wxauth_referral, auth_user")


def measure(name: str, ask: Callable[[], Any], *, plan: bool) -> str:
    """Return the row of the table: statements, median and worst of ``RUNS`` calls."""
    with CaptureQueriesContext(connection) as captured:
        ask()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        ask()
        times.append((time.perf_counter() - start) * 1000)
    if plan:
        for query in captured.captured_queries:
            explain(query["sql"])
    return f"| {name} | {len(captured)} | {statistics.median(times):.1f} | {max(times):.1f} |"


def explain(sql: str) -> None:
    """Print how the database goes about it."""
    how = "EXPLAIN (ANALYZE, BUFFERS)" if connection.vendor == "postgresql" else "EXPLAIN"
    with connection.cursor() as cursor:
        cursor.execute(f"{how} {sql}")
        print(sql, *("  " + " ".join(map(str, row)) for row in cursor.fetchall()), sep="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--plan", action="store_true", help="print the database's plans too")
    options = parser.parse_args()
    if connection.vendor == "sqlite":
        parser.error("DATABASE_URL must name a PostgreSQL, MySQL or MariaDB")
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        fill(options.rows)
        report(options)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def report(options: argparse.Namespace) -> None:
    tree, star = User.objects.get(pk=TREE), User.objects.get(pk=STAR)
    now = timezone.now()
    count = Referral.objects.count_levels
    assert count(tree, depth=3) == LEVELS
    assert count(star, depth=3) == [10_000, 0, 0]
    deep = Referral.objects.filter(referrer=star).order_by("-created_at", "-pk")[9_000]
    before = Position(deep.created_at, deep.pk)
    month = now - timedelta(days=30)
    asks: list[tuple[str, Callable[[], Any]]] = [
        ("counts to depth 3 of 10 000 in three levels", lambda: count(tree, depth=3)),
        ("counts to depth 3 of 10 000 in one level", lambda: count(star, depth=3)),
        ("route `referrals`, first page", lambda: read_referrals(user=star, limit=20)),
        (
            "route `referrals`, page 450",
            lambda: read_referrals(user=star, before=before, limit=20),
        ),
        (
            "leaderboard of 30 days",
            lambda: Referral.objects.leaders(since=month, until=now, limit=50),
        ),
        ("chain of who invited whom", lambda: Referral.objects.chain(deep.referee, length=20)),
    ]
    rows = [measure(name, ask, plan=options.plan) for name, ask in asks]
    print(f"{connection.display_name}, {Referral.objects.count()} referrals, ", end="")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, ", end="")
    print(f"Python {platform.python_version()}, Django {django.__version__}\n")
    print("| | statements | p50 ms | worst ms |\n|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
