"""``manage.py wxauth_audit_retention``."""

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from wxauth.models import AuditEvent
from wxauth.services import audit

pytestmark = pytest.mark.django_db


class Terminal(io.StringIO):
    """What somebody looks at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _events(make_user: Any) -> None:
    now = timezone.now()
    for days in (0, 5, 29, 31, 40, 400):
        at = now - timedelta(days=days)
        AuditEvent.objects.record("exported", user=make_user(), at=at)


def run(*arguments: str, out: io.StringIO | None = None) -> str:
    out = out or io.StringIO()
    call_command("wxauth_audit_retention", *arguments, stdout=out)
    return out.getvalue()


def test_events_older_than_so_many_days_are_deleted() -> None:
    assert run("--days", "30") == "3 events have been deleted.\n"
    assert AuditEvent.objects.count() == 3
    assert run("--days=30") == "0 events have been deleted.\n"


def test_dry_run_counts_and_deletes_nothing() -> None:
    assert run("--days", "30", "--dry-run").startswith("3 events are older than 2")
    assert AuditEvent.objects.count() == 6


def test_progress_is_shown_on_a_terminal_only(monkeypatch: Any) -> None:
    monkeypatch.setattr(audit, "BATCH", 1)
    monkeypatch.setattr(audit, "QUICK", 0)
    shown = run("--days", "10", out=Terminal())
    assert [step.strip() for step in shown.split("\r") if step.strip()] == [
        "1 of 4", "2 of 4", "3 of 4", "4 of 4", "4 events have been deleted.",
    ]  # fmt: skip


class Impatient(Terminal):
    """Somebody who presses Ctrl-C when the second batch is shown."""

    def write(self, text: str) -> int:
        if "2 of" in text:
            raise KeyboardInterrupt
        return super().write(text)


def test_run_that_is_interrupted_says_how_far_it_came(monkeypatch: Any) -> None:
    monkeypatch.setattr(audit, "BATCH", 1)
    monkeypatch.setattr(audit, "QUICK", 0)
    with pytest.raises(CommandError, match="Stopped after 2 events"):
        run("--days", "10", out=Impatient())
    assert AuditEvent.objects.count() == 4
    assert run("--days", "10") == "2 events have been deleted.\n"


@pytest.mark.parametrize("days", ["0", "-1", "x", "", "1.5", "１"])
def test_days_that_are_none_are_refused(days: str) -> None:
    with pytest.raises(CommandError, match="a number of days"):
        run(f"--days={days}")
    assert AuditEvent.objects.count() == 6


def test_days_beyond_the_calendar_are_refused() -> None:
    with pytest.raises(CommandError, match="No event is that old"):
        run("--days", "9999999")


def test_days_must_be_named() -> None:
    with pytest.raises(CommandError, match="--days"):
        run()
