"""Which sessions are thrown away, and in which steps."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from wxauth.management.progress import Progress
from wxauth.models import LoginSession
from wxauth.services.purging import count_expired, purge_sessions

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def make_sessions(make_user: Any) -> Any:
    user = make_user()

    def make_sessions(count: int, *, expired: timedelta, **fields: Any) -> None:
        now = timezone.now()
        LoginSession.objects.bulk_create(
            LoginSession(user=user, expires_at=now - expired, rotated_at=now - expired, **fields)
            for _ in range(count)
        )

    return make_sessions


def test_only_sessions_that_ended_before_are_purged(make_sessions: Any) -> None:
    make_sessions(3, expired=31 * DAY)
    make_sessions(2, expired=31 * DAY, revoked_at=timezone.now() - 40 * DAY)
    make_sessions(4, expired=29 * DAY)
    make_sessions(1, expired=-DAY, revoked_at=timezone.now() - 2 * DAY)
    make_sessions(1, expired=-DAY)
    before = timezone.now() - 30 * DAY
    assert count_expired(before=before) == 5
    assert list(purge_sessions(before=before, batch=100)) == [5]
    assert LoginSession.objects.count() == 6


@pytest.mark.parametrize(("batch", "sizes"), [(4, [4, 4, 2]), (5, [5, 5]), (1, [1] * 10)])
def test_batches_are_no_larger_than_said(make_sessions: Any, batch: int, sizes: list[int]) -> None:
    for n in range(5):
        make_sessions(2, expired=n * DAY + DAY)
    assert list(purge_sessions(before=timezone.now(), batch=batch)) == sizes


def test_broken_off_purge_is_gone_on_with(make_sessions: Any) -> None:
    make_sessions(10, expired=DAY)
    assert next(purge_sessions(before=timezone.now(), batch=4)) == 4
    assert sum(purge_sessions(before=timezone.now(), batch=4)) == 6


def test_batch_is_two_statements(make_sessions: Any) -> None:
    make_sessions(10, expired=DAY)
    with CaptureQueriesContext(connection) as captured:
        next(purge_sessions(before=timezone.now(), batch=4))
    verbs = [query["sql"].split()[0] for query in captured.captured_queries]
    assert [verb for verb in verbs if verb in ("SELECT", "UPDATE", "DELETE")] == [
        "SELECT",
        "DELETE",
    ]


def test_command_says_how_many(make_sessions: Any, capsys: Any) -> None:
    make_sessions(3, expired=8 * DAY)
    make_sessions(3, expired=6 * DAY)
    call_command("wxauth_purge", days=7, batch=2)
    assert "Deleted 3 sessions" in capsys.readouterr().out
    assert LoginSession.objects.count() == 3


def test_command_keeps_30_days_unless_told_and_can_be_quiet(
    make_sessions: Any, capsys: Any
) -> None:
    make_sessions(2, expired=31 * DAY)
    make_sessions(3, expired=29 * DAY)
    call_command("wxauth_purge", verbosity=0)
    assert capsys.readouterr() == ("", "")
    assert LoginSession.objects.count() == 3


@pytest.mark.parametrize("options", [{"days": -1}, {"batch": 0}, {"batch": 10**6}, {"days": 10**6}])
def test_nonsense_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(CommandError):
        call_command("wxauth_purge", **options)


class Terminal(StringIO):
    """Writes as Django's OutputWrapper does."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str, ending: str = "") -> int:
        return super().write(text + ending)


def test_terminal_sees_how_far_it_is() -> None:
    terminal = Terminal()
    with Progress(terminal, total=10) as progress:
        for _ in range(10):
            progress.add(1)
    assert terminal.getvalue().endswith("100% 10 of 10\n")


def test_file_and_empty_work_see_nothing() -> None:
    quiet, terminal = StringIO(), Terminal()
    for stream, total in ((quiet, 10), (terminal, 0)):
        with Progress(stream, total=total) as progress:
            progress.add(1)
    assert quiet.getvalue() + terminal.getvalue() == ""
