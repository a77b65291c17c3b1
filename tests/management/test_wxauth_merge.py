"""The command: a plan first, then the deed, what it says meanwhile, and the way back."""

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.host_app.models import Order
from wxauth.models import Merge, MergeStep
from wxauth.services import moving

pytestmark = pytest.mark.django_db


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def pair(make_user: Callable[..., Any]) -> list[str]:
    winner, loser = make_user("winner"), make_user("loser")
    Order.objects.bulk_create(Order(user=loser) for _ in range(30))
    return [str(winner.pk), str(loser.pk)]


def run(*arguments: str, out: io.StringIO | None = None) -> str:
    out = out or io.StringIO()
    call_command("wxauth_merge", *arguments, stdout=out)
    return out.getvalue()


def owners() -> set[str]:
    return {str(owner) for owner in Order.objects.values_list("user", flat=True)}


def test_without_yes_it_only_tells_the_plan(pair: list[str]) -> None:
    said = run(*pair)
    assert "host_app.Order.user: 30 move" in said
    assert "Nothing has been changed" in said
    assert owners() == {pair[1]}
    assert not Merge.objects.exists()


def test_with_yes_it_merges_and_undo_needs_yes_too(pair: list[str]) -> None:
    run(*pair, "--yes")
    merge = Merge.objects.get()
    assert owners() == {pair[0]}
    assert "Nothing has been changed" in run("--undo", str(merge.pk))
    assert owners() == {pair[0]}
    assert "is undone" in run("--undo", str(merge.pk), "--yes")
    assert owners() == {pair[1]}
    with pytest.raises(CommandError, match="could be undone"):
        run("--undo", str(merge.pk))


def test_progress_is_a_line_for_each_tenth_where_there_is_no_terminal(
    pair: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "CHUNK", 1)
    said = run(*pair, "--yes").splitlines()
    lines = [line for line in said if line.endswith("rows")]
    assert len(lines) == 10
    assert not any("\r" in line for line in said)


def test_progress_is_one_line_on_a_terminal(
    pair: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "CHUNK", 10)
    said = run(*pair, "--yes", out=Terminal())
    bars = [part for part in said.split("\r") if part.startswith("[")]
    assert len(bars) >= 3
    assert bars[-1].startswith("[#########################] 100 %") or "#" in bars[-1]


def test_confirmed_merge_that_was_killed_is_finished(pair: list[str]) -> None:
    merge = Merge.objects.create(
        winner_id=pair[0],
        loser_id=pair[1],
        winner_key=pair[0],
        loser_key=pair[1],
        state=Merge.State.CONFIRMED,
        confirmed_at=timezone.now(),
    )
    assert "did not end" in run(*pair)
    assert f"Merge {merge.pk} is done" in run(*pair, "--yes")
    assert owners() == {pair[0]}


@pytest.mark.parametrize("side", [0, 1])
def test_merge_of_others_that_was_killed_is_left_alone(
    pair: list[str], make_user: Callable[..., Any], side: int
) -> None:
    others = [*pair]
    others[side] = str(make_user("other").pk)
    Merge.objects.create(
        winner_id=others[0],
        loser_id=others[1],
        winner_key=others[0],
        loser_key=others[1],
        state=Merge.State.CONFIRMED,
        confirmed_at=timezone.now(),
    )
    with pytest.raises(CommandError, match="merge_running"):
        run(*pair, "--yes")
    assert owners() == {pair[1]}


def test_old_steps_are_forgotten(pair: list[str]) -> None:
    run(*pair, "--yes")
    Merge.objects.update(done_at=timezone.now() - timedelta(days=31))
    assert "steps deleted" in run("--forget")
    assert not MergeStep.objects.exists()
    with pytest.raises(CommandError):
        run("--undo", str(Merge.objects.get().pk), "--yes")


def test_late_rows_are_collected(pair: list[str]) -> None:
    run(*pair, "--yes")
    Order.objects.create(user_id=pair[1])
    assert run("--late") == "1 rows moved.\n"
    assert owners() == {pair[0]}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nobody", "2"],
        ["9" * 40, "1"],
        ["--undo", "1"],
        ["--undo", "0"],
        ["1", "2", "--undo", "1"],
        ["--forget", "--undo", "1"],
    ],
)
def test_nonsense_is_refused_in_words(db: None, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)


def test_other_numbers_of_users_are_refused(pair: list[str]) -> None:
    for users in (pair[:1], [*pair, pair[0]]):
        with pytest.raises(CommandError, match="Give WINNER and LOSER"):
            run(*users)


def test_same_user_twice_is_refused(pair: list[str]) -> None:
    with pytest.raises(CommandError, match="merge_refused"):
        run(pair[0], pair[0], "--yes")
