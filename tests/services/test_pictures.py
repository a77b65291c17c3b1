"""Pictures with codes: one guess each, and one use."""

from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import caches
from django.utils import timezone

from tests.cache_dump import everything_in_the_cache
from wxauth.exceptions import PictureCodeInvalid
from wxauth.services import check_picture, draw_picture, use_picture


@pytest.fixture
def code(monkeypatch: Any) -> str:
    """What the next picture says."""
    monkeypatch.setattr("wxauth.services.pictures.secrets.choice", lambda letters: letters[3])
    return "DDDD"


def test_picture_is_read_in_any_case_and_used_once(code: str) -> None:
    draw_picture(key="k")
    check_picture(key="k", typed=f" {code.lower()} ")
    use_picture(key="k", typed=code)
    with pytest.raises(PictureCodeInvalid):
        use_picture(key="k", typed=code)


def test_picture_is_good_for_five_minutes(code: str, local_memory: None) -> None:
    now = timezone.now()
    for seconds, is_good in ((299, True), (301, False)):
        with time_machine.travel(now, tick=False):
            draw_picture(key="k")
        refused = nullcontext() if is_good else pytest.raises(PictureCodeInvalid)
        with time_machine.travel(now + timedelta(seconds=seconds), tick=False), refused:
            check_picture(key="k", typed=code)


def test_wrong_guess_ends_the_picture(code: str) -> None:
    draw_picture(key="k")
    for typed in ("AAAA", code):
        with pytest.raises(PictureCodeInvalid):
            check_picture(key="k", typed=typed)


@pytest.mark.parametrize("key", ["another", "", "\ud83d", "k" * 9999])
def test_picture_of_another_key_is_another_one(code: str, key: str) -> None:
    draw_picture(key="k")
    with pytest.raises(PictureCodeInvalid):
        check_picture(key=key, typed=code)


@pytest.mark.parametrize("typed", ["", "é", "\x00", "D" * 9999])
def test_rubbish_is_a_wrong_guess(code: str, typed: str) -> None:
    draw_picture(key="k")
    with pytest.raises(PictureCodeInvalid):
        check_picture(key="k", typed=typed)


def test_cache_tells_neither_key_nor_code(code: str) -> None:
    draw_picture(key="my-own-key")
    kept = everything_in_the_cache(caches["default"])
    assert kept
    assert "my-own-key" not in kept
    assert code not in kept
