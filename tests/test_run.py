"""What ``make test`` makes of the runs: the last line and the exit status must not lie."""

import os
import subprocess
import sys

import pytest

from tests import run
from tests.run import ON_SQLITE, Counts, find_missing, judge, plan, read_counts, verdict

pytestmark = pytest.mark.once

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="5">
<testcase name="one"/>
<testcase name="two"><system-out>text</system-out></testcase>
<testcase name="three"><failure message="no">trace</failure></testcase>
<testcase name="four"><error message="setup">trace</error></testcase>
<testcase name="five"><skipped type="pytest.skip" message="why"/></testcase>
</testsuite></testsuites>
"""


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.xml"
    path.write_text(REPORT)
    return path


@pytest.fixture
def no_services(monkeypatch):
    """Point every service at a port where nobody listens."""
    for name, url in {
        "POSTGRES": "postgres://someone:passphrase@127.0.0.1:1/x",
        "MARIADB": "mysql://someone:passphrase@127.0.0.1:1/x",
        "REDIS": "redis://:passphrase@127.0.0.1:1/0",
    }.items():
        monkeypatch.setenv(f"WXAUTH_TEST_{name}_URL", url)


def run_cli(*arguments, **environment):
    """Run the runner over this file's own checks, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tests.run", *arguments],
        cwd=run.ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def test_errors_of_fixtures_count_as_failed(report):
    assert read_counts(report) == Counts(passed=2, failed=2, skipped=1)


def test_counts_add_up_and_are_printed_plainly():
    assert str(Counts(1, 2, 3) + Counts(10, 20, 30)) == "11 passed, 22 failed, 33 skipped"


def test_run_without_a_report_is_failed(tmp_path):
    assert judge(3, tmp_path / "none.xml", chosen=False) == Counts(failed=1)


def test_run_with_half_a_report_is_failed(report):
    report.write_text(REPORT[:100])

    assert judge(-9, report, chosen=False) == Counts(failed=1)


def test_run_that_fails_after_its_last_test_is_failed(report):
    report.write_text('<testsuite><testcase name="one"/></testsuite>')

    assert judge(1, report, chosen=False) == Counts(passed=1, failed=1)


@pytest.mark.parametrize(("chosen", "failed"), [(False, 1), (True, 0)])
def test_run_without_tests_is_failed_unless_tests_were_chosen(tmp_path, chosen, failed):
    assert judge(run.NO_TESTS, tmp_path / "none.xml", chosen=chosen) == Counts(failed=failed)


def test_no_test_at_all_is_failed():
    assert verdict(Counts(), {}, required=False) == (Counts(failed=1), False)


@pytest.mark.parametrize(
    ("total", "missing", "required", "expected"),
    [
        (Counts(3, 0, 1), {"Redis": "gone"}, False, (Counts(3, 0, 1), True)),
        (Counts(3, 0, 0), {"Redis": "gone"}, True, (Counts(3, 1, 0), False)),
        (Counts(3, 0, 1), {}, True, (Counts(3, 0, 1), False)),
        (Counts(3, 0, 0), {}, True, (Counts(3, 0, 0), True)),
        (Counts(3, 1, 0), {}, False, (Counts(3, 1, 0), False)),
    ],
    ids=["skipping-is-allowed", "service-is-required", "skip-is-refused", "all-well", "failed"],
)
def test_required_services_turn_skips_into_failures(total, missing, required, expected):
    assert verdict(total, missing, required=required) == expected


def test_absent_services_are_named_without_their_urls(no_services):
    missing = find_missing()

    assert {"PostgreSQL", "MariaDB", "Redis"} <= set(missing)
    assert "passphrase" not in str(missing)


def test_absent_driver_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(run.SERVICES, "MariaDB", (run.connect_mariadb, "no_such_driver", "mysql"))

    assert "pip install -e '.[mysql]'" in find_missing()["MariaDB"]


def test_absent_programs_are_named(no_services, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert {"Chromium", "Node", "npm"} <= set(find_missing())


@pytest.mark.parametrize(
    ("missing", "names"),
    [
        ([], ["PostgreSQL and Redis", "MariaDB and Redis"]),
        (["Redis"], ["PostgreSQL", "MariaDB"]),
        (["MariaDB"], ["PostgreSQL and Redis"]),
        (["MariaDB", "PostgreSQL"], ["SQLite and Redis"]),
        (["MariaDB", "PostgreSQL", "Redis", "Node"], []),
    ],
)
def test_each_service_that_is_there_gets_its_run(missing, names):
    runs = plan(missing)

    sqlite = [name for name, _ in ON_SQLITE]
    assert [one.name for one in runs] == [*sqlite, "SQLite, custom user model", *names]
    assert all(("REDIS_URL" in one.environment) == ("Redis" in one.name) for one in runs)


def test_tests_of_one_group_share_a_worker(tmp_path):
    """An xdist that ignores its groups says nothing: pytest-xdist#1386."""
    tests = tmp_path / "test_group.py"
    tests.write_text(
        "import os, pytest\n"
        "@pytest.mark.xdist_group('one')\n"
        "@pytest.mark.parametrize('number', range(8))\n"
        "def test_group(number):\n"
        "    open(os.environ['PYTEST_XDIST_WORKER'], 'w').close()\n"
    )
    options = ["-n", "2", "--dist", "loadgroup", "-p", "no:django", "-p", "no:wxauth"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-c", os.devnull, str(tests)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.glob("gw*"))) == 1


def test_last_line_is_the_sum_and_status_is_zero():
    done = run_cli("--only", "sqlite", "tests/test_run.py", "-k", "add_up or half_a_report")

    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "2 passed, 0 failed, 0 skipped")


def test_broken_collection_is_a_failure():
    done = run_cli("--only", "sqlite", "tests/no_such_file.py")

    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "0 passed, 1 failed, 0 skipped")
