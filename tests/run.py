"""
Run the whole suite wherever it can run, and say by name where it could not.

Once on SQLite and local memory, there also the tests that start whole programs, once with a custom
user model, and again on PostgreSQL and on MariaDB, with Redis. ``WXAUTH_TEST_POSTGRES_URL``,
``WXAUTH_TEST_MARIADB_URL`` and ``WXAUTH_TEST_REDIS_URL`` say where these are; without them, the
usual ports of this machine. With ``WXAUTH_REQUIRE_SERVICES=1`` it is a failure when one of them,
Chromium, Node or npm is missing, and when any test is skipped.

    python -m tests.run [--only sqlite] [--coverage] [arguments of pytest]
"""

import argparse
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
CONNECT_TIMEOUT = 3  # seconds
NO_TESTS = 5  # pytest's exit status
AGAIN = ("-m", "not static and not once")  # what a second run over the suite leaves out
ON_SQLITE = (
    ("SQLite", ("-m", "not once and not crowd")),
    ("Whole programs: browser, servers, new projects, this runner", ("-m", "once or crowd")),
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
URLS = {
    "PostgreSQL": ("WXAUTH_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres"),
    "MariaDB": ("WXAUTH_TEST_MARIADB_URL", "mysql://root@127.0.0.1:3306/mysql"),
    "Redis": ("WXAUTH_TEST_REDIS_URL", "redis://127.0.0.1:6379/0"),
}


@dataclass(frozen=True)
class Run:
    """One run of pytest over the suite."""

    name: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Counts:
    """How the tests of one or several runs ended."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def service_url(name: str) -> str:
    """Return the URL at which a service is looked for."""
    variable, default = URLS[name]
    return os.environ.get(variable) or default


def connect_postgres(url: str) -> None:
    """Connect to PostgreSQL and leave, or raise."""
    importlib.import_module("psycopg").connect(url, connect_timeout=CONNECT_TIMEOUT).close()


def connect_mariadb(url: str) -> None:
    """Connect to MariaDB or MySQL and leave, or raise."""
    parts = urlsplit(url)
    importlib.import_module("MySQLdb").connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=unquote(parts.username or "root"),
        password=unquote(parts.password or ""),
        connect_timeout=CONNECT_TIMEOUT,
    ).close()


def connect_redis(url: str) -> None:
    """Connect to Redis and leave, or raise."""
    client = importlib.import_module("redis").from_url(url, socket_connect_timeout=CONNECT_TIMEOUT)
    client.ping()
    client.close()


SERVICES = {
    "PostgreSQL": (connect_postgres, "psycopg", "postgres"),
    "MariaDB": (connect_mariadb, "MySQLdb", "mysql"),
    "Redis": (connect_redis, "redis", "test"),
}


def find_missing() -> dict[str, str]:
    """Return what is not there, each with the reason; no reason names a URL or a password."""
    missing = {}
    for name, (connect, driver, extra) in SERVICES.items():
        if importlib.util.find_spec(driver) is None:
            missing[name] = f"its driver {driver} is not installed: pip install -e '.[{extra}]'"
            continue
        try:
            connect(service_url(name))
        except Exception as error:  # each driver has an exception tree of its own
            missing[name] = f"it does not answer ({type(error).__name__}); see {URLS[name][0]}"
    if not any(map(shutil.which, BROWSERS)):
        missing["Chromium"] = "no such program"
    if not shutil.which("node"):
        missing["Node"] = "no such program"
    if not shutil.which("npm"):
        missing["npm"] = "no such program"
    return missing


def plan(missing: Iterable[str]) -> list[Run]:
    """Return the runs for what is there."""
    there = set(URLS) - set(missing)
    redis = {"REDIS_URL": service_url("Redis")} if "Redis" in there else {}
    on_services = [name for name in ("PostgreSQL", "MariaDB") if name in there]
    runs = [
        *(Run(*one) for one in ON_SQLITE),
        Run("SQLite, custom user model", ("--ds=tests.settings_uuid", *AGAIN)),
    ]
    for name in on_services:
        title = f"{name} and Redis" if redis else name
        environment = {"DATABASE_URL": service_url(name), **redis}
        runs.append(Run(title, AGAIN, environment))
    if redis and not on_services:
        runs.append(Run("SQLite and Redis", AGAIN, redis))
    return runs


def read_counts(report: Path) -> Counts:
    """Count the tests in a JUnit report; a test that fails and breaks its teardown is two."""
    counts = Counts()
    for case in ElementTree.parse(report).iter("testcase"):
        ends = {child.tag for child in case}
        failed = bool(ends & {"failure", "error"})
        skipped = not failed and "skipped" in ends
        counts += Counts(not failed and not skipped, failed, skipped)
    return counts


def judge(status: int, report: Path, *, chosen: bool) -> Counts:
    """
    Return the counts of a run that ended with this exit status.

    A run that broke off, or found no tests, counts as a failure even when its report has none. When
    the tests were ``chosen`` by arguments, a run that has none of them is none.
    """
    if status == NO_TESTS and chosen:
        return Counts()
    try:
        counts = read_counts(report)
    except (OSError, ElementTree.ParseError):
        counts = Counts()
    if status != 0 and not counts.failed:
        counts += Counts(failed=1)
    return counts


def count_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux only; the machine may have more than we get
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def execute(run: Run, arguments: list[str], *, coverage: bool) -> Counts:
    """Run pytest once and return what came of it."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
    }
    environment = {**inherited, "WXAUTH_TEST_RUN": str(os.getpid()), **run.environment}
    program = ["-m", "coverage", "run", "-m", "pytest"] if coverage else ["-m", "pytest"]
    workers = max(2, count_cores())
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        # loadgroup: tests that open many connections share one worker, and so take turns.
        command = [sys.executable, *program, "-n", str(workers), "--dist", "loadgroup", "-q"]
        command += [f"--junit-xml={report}", *run.arguments, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
        return judge(done.returncode, report, chosen=bool(arguments))


def verdict(total: Counts, missing: Mapping[str, str], *, required: bool) -> tuple[Counts, bool]:
    """Return the counts to print and whether all is well."""
    if required:
        total += Counts(failed=len(missing))
    ran_none = not total.passed and not total.failed
    if ran_none:
        total += Counts(failed=1)
    return total, not total.failed and not (required and total.skipped)


def main() -> int:
    """Run it all; the last line printed is the sum of the counts."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=False, allow_abbrev=False)
    parser.add_argument("--only", choices=["sqlite"])
    parser.add_argument("--coverage", action="store_true")
    options, arguments = parser.parse_known_args()
    required = os.environ.get("WXAUTH_REQUIRE_SERVICES") == "1"

    missing = {} if options.only else find_missing()
    runs = [Run(*one) for one in ON_SQLITE] if options.only else plan(missing)
    total, lines = Counts(), []
    for run in runs:
        print(f"\n=== {run.name} ===", flush=True)
        counts = execute(run, arguments, coverage=options.coverage)
        total += counts
        lines.append(f"{run.name}: {counts}")

    total, well = verdict(total, missing, required=required)
    word = "MISSING" if required else "skipped"
    print("\n" + "\n".join(lines))
    print("".join(f"{word}: {name}: {reason}\n" for name, reason in missing.items()), end="")
    if required and total.skipped:
        print("No test may be skipped when WXAUTH_REQUIRE_SERVICES=1.")
    print(total, flush=True)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
