"""
How long a merge takes, and how much memory, by how many rows the losing user has.

    python -m benchmarks.merge [--rows 100000]

The rows are spread over five models of a host project. ``DATABASE_URL`` chooses the database
server, else SQLite. Other users have as many rows in the same tables. Memory is the peak of what
Python has allocated while the merge runs, from a run of its own, since tracing costs time.
"""

import argparse
import os
import platform
import time
import tracemalloc

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402  (after setup)
from django.db import connection  # noqa: E402

from tests.host_app import models as host  # noqa: E402
from wxauth import services  # noqa: E402

BATCH = 5000  # rows
MODELS = [host.Order, host.Note, host.Vote, host.Label, host.Message]


def fill(user: django.db.models.Model, rows: int) -> None:
    """Give the user this many rows, the same number in each model."""
    for model in MODELS:
        owner = "author" if model is host.Message else "user"
        for start in range(0, rows // len(MODELS), BATCH):
            numbers = range(start, min(start + BATCH, rows // len(MODELS)))
            model._base_manager.bulk_create(
                model(**{owner: user}, **_own(model, number)) for number in numbers
            )


def _own(model: type[django.db.models.Model], number: int) -> dict[str, object]:
    if model is host.Vote:
        return {"poll": number}
    return {"text": str(number)} if model is host.Label else {}


def measure(rows: int, *, traced: bool) -> tuple[float, int, services.MergePlan]:
    """Return the seconds, the peak of bytes (0 when not traced), and what was planned."""
    make = get_user_model()._default_manager.create_user
    run = f"{rows} {traced}"
    winner, loser, other = (make(username=f"{name} {run}") for name in ("w", "l", "o"))
    fill(loser, rows)
    fill(other, rows)
    plan = services.plan_merge(winner=winner, loser=loser)
    merge = services.propose_merge(winner=winner, loser=loser)
    if traced:
        tracemalloc.start()
    start = time.perf_counter()
    services.run_merge(merge=merge)
    seconds = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1] if traced else 0
    tracemalloc.stop()
    start = time.perf_counter()
    if not traced:
        services.undo_merge(merge=merge)
        print(f"  (its undo: {time.perf_counter() - start:.1f} s)")
    return seconds, peak, plan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        print(
            f"{connection.display_name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
            f"Python {platform.python_version()}, Django {django.__version__}"
        )
        for rows in (options.rows // 10, options.rows):
            seconds, _, plan = measure(rows, traced=False)
            _, peak, _ = measure(rows, traced=True)
            models = sum(bool(line.moves) for line in plan.lines)
            print(
                f"{plan.moves} rows in {models} models: {seconds:.1f} s, "
                f"peak {peak / 1024**2:.1f} MiB"
            )
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


if __name__ == "__main__":
    main()
