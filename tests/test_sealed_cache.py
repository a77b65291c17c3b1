"""What the shared cache holds: nothing readable, nothing that can be moved to another name."""

import logging
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.core.cache import InvalidCacheBackendError, caches
from django.core.cache.backends.base import BaseCache

from wxauth import sealed_cache
from wxauth.exceptions import StoreUnavailable

SECRET = b"gqi+ECTGh+q18yn5whIQJw=="


class BrokenCache(BaseCache):
    """Every access fails, as with a Redis that is gone."""

    def __init__(self, *args: object) -> None:
        super().__init__({})

    def _fail(self, *args: object, **options: object) -> None:
        raise ConnectionRefusedError("redis://:password@127.0.0.1 is gone")

    add = get = set = delete = _fail


BROKEN = {"default": {"BACKEND": "tests.test_sealed_cache.BrokenCache"}}


def local_memory() -> dict[str, str]:
    """Return the setting of an empty cache whose clock a test can move, unlike that of Redis."""
    return {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": uuid4().hex,
    }


def stored(name: str) -> bytes:
    """Return what the cache itself holds."""
    return caches["default"].get(name)


ACCESSES: dict[str, Callable[[], object]] = {
    "put": lambda: sealed_cache.put("name", SECRET, ttl=60),
    "get": lambda: sealed_cache.get("name"),
    "delete": lambda: sealed_cache.delete("name"),
    "first_use": lambda: sealed_cache.first_use("name", ttl=60),
}


def test_kept_secret_comes_back() -> None:
    sealed_cache.put("name", SECRET, ttl=60)

    assert sealed_cache.get("name") == SECRET


def test_cache_holds_no_readable_secret() -> None:
    sealed_cache.put("name", SECRET, ttl=60)

    assert isinstance(stored("name"), bytes)
    assert SECRET not in stored("name")


def test_unknown_name_is_none() -> None:
    assert sealed_cache.get("name") is None


def test_secret_ends_with_its_time(settings: Any) -> None:
    settings.CACHES = {"default": local_memory()}
    sealed_cache.put("name", SECRET, ttl=60)

    with time_machine.travel(time.time() + 59, tick=False):
        assert sealed_cache.get("name") == SECRET
    with time_machine.travel(time.time() + 61, tick=False):
        assert sealed_cache.get("name") is None


@pytest.mark.redis
def test_redis_is_told_when_a_secret_ends() -> None:
    sealed_cache.put("name", SECRET, ttl=0.5 * 60)

    assert 29_000 < caches["default"].pttl("name") <= 30_000


def test_secret_moved_to_another_name_does_not_open() -> None:
    sealed_cache.put("one", SECRET, ttl=60)
    caches["default"].set("two", stored("one"), 60)

    assert sealed_cache.get("two") is None


def test_tampered_secret_does_not_open() -> None:
    sealed_cache.put("name", SECRET, ttl=60)
    caches["default"].set("name", stored("name")[:-1] + b"?", 60)

    assert sealed_cache.get("name") is None


@pytest.mark.parametrize("foreign", ["text", 1, ["list"], b"", b"short"], ids=repr)
def test_what_we_did_not_put_there_is_none(foreign: object) -> None:
    caches["default"].set("name", foreign, 60)

    assert sealed_cache.get("name") is None


def test_secret_survives_a_new_first_key(settings: Any) -> None:
    settings.WXAUTH_ENCRYPTION_KEYS = ["old"]
    sealed_cache.put("name", SECRET, ttl=60)
    settings.WXAUTH_ENCRYPTION_KEYS = ["new", "old"]

    assert sealed_cache.get("name") == SECRET


def test_new_secret_uses_the_first_key(settings: Any) -> None:
    settings.WXAUTH_ENCRYPTION_KEYS = ["new", "old"]
    sealed_cache.put("name", SECRET, ttl=60)
    settings.WXAUTH_ENCRYPTION_KEYS = ["new"]

    assert sealed_cache.get("name") == SECRET


def test_secret_whose_key_is_gone_is_none(settings: Any) -> None:
    settings.WXAUTH_ENCRYPTION_KEYS = ["old"]
    sealed_cache.put("name", SECRET, ttl=60)
    settings.WXAUTH_ENCRYPTION_KEYS = ["new"]

    assert sealed_cache.get("name") is None


def test_rotated_secret_key_still_opens(settings: Any) -> None:
    old = settings.SECRET_KEY
    sealed_cache.put("name", SECRET, ttl=60)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [old]

    assert sealed_cache.get("name") == SECRET


def test_deleted_secret_is_gone_and_only_one_caller_is_told_so() -> None:
    sealed_cache.put("name", SECRET, ttl=60)

    assert sealed_cache.delete("name") is True
    assert sealed_cache.delete("name") is False
    assert sealed_cache.get("name") is None


def run_at_once(function: Callable[[], bool], *, threads: int) -> list[bool]:
    barrier = Barrier(threads)

    def run(_: int) -> bool:
        barrier.wait(10)
        return function()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def test_of_many_who_delete_at_once_one_is_told_so() -> None:
    sealed_cache.put("name", SECRET, ttl=60)

    assert run_at_once(lambda: sealed_cache.delete("name"), threads=16).count(True) == 1


def test_of_many_first_uses_at_once_one_wins() -> None:
    assert run_at_once(lambda: sealed_cache.first_use("n", ttl=60), threads=16).count(True) == 1


def test_second_use_is_not_the_first_until_the_time_is_over(settings: Any) -> None:
    settings.CACHES = {"default": local_memory()}
    assert sealed_cache.first_use("name", ttl=60) is True
    assert sealed_cache.first_use("name", ttl=60) is False

    with time_machine.travel(time.time() + 61, tick=False):
        assert sealed_cache.first_use("name", ttl=60) is True


@pytest.mark.parametrize("access", ACCESSES.values(), ids=ACCESSES)
def test_broken_cache_is_store_unavailable(
    access: Callable[[], object], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CACHES = BROKEN

    with pytest.raises(StoreUnavailable) as caught:
        access()

    assert (caught.value.status, caught.value.retry_after) == (503, 2)
    # What the client library says may hold the cache's password.
    shown = "".join(traceback.format_exception(caught.value))
    assert "password" not in caplog.text + shown
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_mistake_of_ours_is_no_outage() -> None:
    with pytest.raises(TypeError), sealed_cache.open_cache():
        raise TypeError("a mistake")


def test_mistake_in_the_settings_is_no_outage(settings: Any) -> None:
    settings.WXAUTH_CACHE = "missing"

    with pytest.raises(InvalidCacheBackendError):
        sealed_cache.get("name")


def test_another_cache_can_be_named(settings: Any) -> None:
    settings.CACHES = {**BROKEN, "secrets": local_memory()}
    settings.WXAUTH_CACHE = "secrets"
    sealed_cache.put("name", SECRET, ttl=60)

    assert sealed_cache.get("name") == SECRET
