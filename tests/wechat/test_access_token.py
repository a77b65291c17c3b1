"""One access_token for all threads and processes, fetched as rarely as WeChat allows."""

import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache

from tests.wechat.raw_server import http, serve
from wxauth import sealed_cache
from wxauth.conf import WechatApp, conf
from wxauth.exceptions import WechatConfigError, WechatError, WechatUnavailable
from wxauth.simulator import WechatSimulator
from wxauth.wechat import access_token, client
from wxauth.wechat.errcodes import PHONE_NUMBER, STABLE_TOKEN
from wxauth.wechat.types import AccessToken

BROKEN = {"default": {"BACKEND": "tests.test_sealed_cache.BrokenCache"}}


def forced(simulator: WechatSimulator) -> list[bool]:
    """Return which of the fetches were forced."""
    return [call.json()["force_refresh"] for call in simulator.calls(STABLE_TOKEN)]


def read_phone(app: WechatApp, simulator: WechatSimulator) -> object:
    return client.phone_number(app, phone_code=simulator.phone("ann", app.app_id)["code"])


def run_at_once(functions: list[Callable[[], Any]]) -> list[Any]:
    """Run all in threads that start together; return what they return or raise."""
    barrier = threading.Barrier(len(functions))

    def run(function: Callable[[], Any]) -> Any:
        barrier.wait(10)
        try:
            return function()
        except WechatError as error:
            return error

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


def name(app: WechatApp) -> str:
    return f"wxauth:access_token:{app.app_id}"


def keep(app: WechatApp, value: str, *, lasts: float = 7200) -> None:
    """Put a token into the cache as another process would."""
    kept = json.dumps([value, time.time() + lasts]).encode()
    sealed_cache.put(name(app), kept, ttl=lasts)


# Fetching and keeping


def test_token_is_fetched_in_normal_mode_and_kept(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    tokens = {access_token.get(app).value for _ in range(3)}

    assert tokens == {wechat_simulator.access_token(app.app_id)}
    (call,) = wechat_simulator.calls(STABLE_TOKEN)
    assert call.method == "POST"
    assert call.json() == {
        "grant_type": "client_credential",
        "appid": app.app_id,
        "secret": app.app_secret,
        "force_refresh": False,
    }


def test_each_app_has_its_own_token(
    app: WechatApp, other_app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    assert access_token.get(app).value != access_token.get(other_app).value


@pytest.mark.usefixtures("local_memory")
def test_cache_holds_neither_token_nor_secret_in_the_clear(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    """Incident 40: the name under which it is kept has no secret either."""
    token = access_token.get(app)

    kept = repr(caches["default"]._cache)

    assert name(app) in kept
    assert token.value not in kept
    assert app.app_secret not in kept


@pytest.mark.usefixtures("local_memory")
def test_token_is_kept_until_its_last_five_minutes(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    start = time.time()
    with time_machine.travel(start, tick=False) as clock:
        first = access_token.get(app)
        clock.move_to(start + 7200 - 301)
        assert access_token.get(app) == first
        assert len(wechat_simulator.calls(STABLE_TOKEN)) == 1

        clock.move_to(start + 7200 - 299)
        assert access_token.get(app).value != first.value

    assert len(wechat_simulator.calls(STABLE_TOKEN)) == 2


@pytest.mark.usefixtures("local_memory")
@pytest.mark.parametrize("expires_in", [1, 300, 359])
def test_token_that_ends_soon_is_kept_a_minute(
    expires_in: int, app: WechatApp, answer_with: Callable[..., None]
) -> None:
    answer_with(
        {"access_token": "one", "expires_in": expires_in},
        {"access_token": "two", "expires_in": 7200},
    )
    start = time.time()
    with time_machine.travel(start, tick=False) as clock:
        access_token.get(app)
        clock.move_to(start + 59)
        assert access_token.get(app).value == "one"
        clock.move_to(start + 61)
        assert access_token.get(app).value == "two"


def test_token_is_not_kept_longer_than_wechat_promises(
    app: WechatApp, answer_with: Callable[..., None]
) -> None:
    answer_with({"access_token": "one", "expires_in": 10**9})

    assert access_token.get(app).expires_at <= time.time() + 7200


@pytest.mark.parametrize("expires_in", [7200, "7200", 7200.0], ids=repr)
def test_expires_in_may_be_written_in_any_way(
    expires_in: object, app: WechatApp, answer_with: Callable[..., None]
) -> None:
    answer_with({"access_token": "one", "expires_in": expires_in})

    assert 7190 < access_token.get(app).expires_at - time.time() <= 7200


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"access_token": "one"},
        *[{"access_token": "one", "expires_in": e} for e in (0, -1, None, "x", [], "9" * 5000)],
        *[{"access_token": t, "expires_in": 7200} for t in ("", None, 1, [], "a b", "é", "\x00")],
        {"access_token": "a" * 2049, "expires_in": 7200},
    ],
    ids=lambda answer: repr(answer)[:60],
)
def test_token_that_is_none_is_refused_and_not_kept(
    answer: dict[str, object], app: WechatApp, answer_with: Callable[..., None]
) -> None:
    answer_with(answer)

    with pytest.raises(WechatError):
        access_token.get(app)

    assert sealed_cache.get(name(app)) is None


def test_token_of_512_characters_is_taken(app: WechatApp, answer_with: Callable[..., None]) -> None:
    answer_with({"access_token": "a" * 512, "expires_in": 7200})

    assert access_token.get(app).value == "a" * 512


def test_wrong_secret_is_a_config_error_and_is_asked_about_each_time(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    wechat_simulator.fail(STABLE_TOKEN, errcode=40125, times=2)

    for _ in range(2):
        with pytest.raises(WechatConfigError):
            access_token.get(app)

    assert access_token.get(app)


# One at a time


def test_many_threads_with_a_cold_cache_fetch_once(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    wechat_simulator.fail(STABLE_TOKEN, delay=0.1)

    tokens = run_at_once([lambda: access_token.get(app)] * 16)

    assert set(tokens) == {access_token.get(app)}
    assert len(wechat_simulator.calls(STABLE_TOKEN)) == 1


def test_many_phone_numbers_with_a_cold_cache_fetch_once(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    wechat_simulator.fail(STABLE_TOKEN, delay=0.1)

    numbers = run_at_once([lambda: read_phone(app, wechat_simulator)] * 8)

    assert not [number for number in numbers if isinstance(number, Exception)]
    assert len(wechat_simulator.calls(STABLE_TOKEN)) == 1


def test_failed_fetch_lets_the_next_one_try_at_once(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    wechat_simulator.fail(STABLE_TOKEN, errcode=45011, delay=0.05)

    results = run_at_once([lambda: access_token.get(app)] * 4)

    assert sum(isinstance(result, WechatError) for result in results) == 1
    assert len(wechat_simulator.calls(STABLE_TOKEN)) == 2


class OvertakenCache(LocMemCache):
    """Another process fetches the token just before whoever asks for the lock gets it."""

    def add(self, key: str, *args: Any, **options: Any) -> bool:
        if key.endswith(":lock"):
            keep(conf.app("default"), "of another")
        return super().add(key, *args, **options)


def test_token_that_came_between_look_and_lock_is_taken_without_a_call(
    app: WechatApp, wechat_simulator: WechatSimulator, settings: Any
) -> None:
    backend = f"{__name__}.OvertakenCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": uuid4().hex}}

    assert access_token.get(app).value == "of another"
    assert wechat_simulator.requests == []


@pytest.mark.redis
def test_many_processes_with_a_cold_cache_fetch_once(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    wechat_simulator.fail(STABLE_TOKEN, delay=0.3)
    command = [sys.executable, "-m", "tests.wechat.token_process", wechat_simulator.base_url]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.stdout.readline() for process in processes if process.stdout] == ["ready\n"] * 4
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()

    digests = {process.communicate(timeout=30)[0] for process in processes}

    token = wechat_simulator.access_token(app.app_id)
    assert digests == {hashlib.sha256(token.encode()).hexdigest() + "\n"}
    assert len(wechat_simulator.calls(STABLE_TOKEN)) == 1


def test_lock_of_a_dead_process_costs_a_wait_and_no_failure(
    app: WechatApp, wechat_simulator: WechatSimulator, settings: Any
) -> None:
    caches["default"].add(f"{name(app)}:lock", "somebody", 60)
    settings.WXAUTH_TIMEOUTS = (0.01, 0.4)

    assert access_token.get(app).value == wechat_simulator.access_token(app.app_id)

    # It is not ours to release.
    assert caches["default"].get(f"{name(app)}:lock") == "somebody"
    assert len(wechat_simulator.calls(STABLE_TOKEN)) == 1


def test_lock_is_released(app: WechatApp, wechat_simulator: WechatSimulator) -> None:
    wechat_simulator.fail(STABLE_TOKEN, errcode=40125)
    with pytest.raises(WechatConfigError):
        access_token.get(app)
    assert caches["default"].get(f"{name(app)}:lock") is None

    access_token.get(app)
    assert caches["default"].get(f"{name(app)}:lock") is None


def fetch_while(settings: Any, app: WechatApp, happens: Callable[[], object]) -> AccessToken:
    """Fetch a token that lasts an hour; ``happens`` takes place before WeChat answers."""
    with serve(http(b'{"access_token":"fetched","expires_in":3600}')) as server:
        server.on_request = happens
        settings.WXAUTH_API_BASE_URL = server.base_url
        return access_token.get(app)


def test_lock_that_has_lapsed_and_is_anothers_now_is_left_alone(
    app: WechatApp, settings: Any
) -> None:
    lock = f"{name(app)}:lock"

    fetch_while(settings, app, lambda: caches["default"].set(lock, "another", 60))

    assert caches["default"].get(lock) == "another"


def test_newer_token_in_the_cache_is_not_overwritten(app: WechatApp, settings: Any) -> None:
    token = fetch_while(settings, app, lambda: keep(app, "newer"))

    assert token.value == "fetched"
    assert access_token.get(app).value == "newer"


def test_older_token_in_the_cache_is_overwritten(app: WechatApp, settings: Any) -> None:
    fetch_while(settings, app, lambda: keep(app, "older", lasts=60))

    assert access_token.get(app).value == "fetched"


# Renewing


def test_replaced_token_is_renewed_unnoticed(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    read_phone(app, wechat_simulator)
    wechat_simulator.revoke_access_tokens(app.app_id)

    assert read_phone(app, wechat_simulator)

    assert forced(wechat_simulator) == [False, False]
    assert [call.errcode for call in wechat_simulator.calls(PHONE_NUMBER)] == [0, 40001, 0]


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
def test_token_refused_once_is_renewed_and_forced_only_then(
    errcode: int, app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    """WeChat refuses the token that it goes on handing out: somebody else has spoilt it."""
    wechat_simulator.fail(PHONE_NUMBER, errcode=errcode)

    assert read_phone(app, wechat_simulator)

    assert forced(wechat_simulator) == [False, False, True]
    assert len(wechat_simulator.calls(PHONE_NUMBER)) == 2


def test_token_refused_for_ever_ends_in_few_calls(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    """Others recurse here until the interpreter stops them."""
    wechat_simulator.fail(PHONE_NUMBER, errcode=40001, times=None)

    with pytest.raises(WechatUnavailable) as caught:
        read_phone(app, wechat_simulator)

    assert (caught.value.errcode, caught.value.retry_after) == (40001, 2)
    assert caught.value.__context__ is None
    assert forced(wechat_simulator) == [False, False, True]
    assert len(wechat_simulator.calls(PHONE_NUMBER)) == 2

    with pytest.raises(WechatUnavailable):
        read_phone(app, wechat_simulator)

    assert forced(wechat_simulator) == [False, False, True, False]
    assert len(wechat_simulator.calls(PHONE_NUMBER)) == 3


@pytest.mark.usefixtures("local_memory")
def test_token_is_forced_again_after_ten_minutes_only(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    start = time.time()
    with time_machine.travel(start, tick=False) as clock:
        access_token.renew(app, failed=access_token.get(app))
        for moment, allowed in ((599, False), (601, True)):
            clock.move_to(start + moment)
            failed = access_token.get(app)
            if allowed:
                assert access_token.renew(app, failed=failed).value != failed.value
            else:
                with pytest.raises(WechatUnavailable):
                    access_token.renew(app, failed=failed)

    assert forced(wechat_simulator).count(True) == 2


def test_forced_token_that_is_the_failed_one_again_is_given_up(
    app: WechatApp, answer_with: Callable[..., None]
) -> None:
    answer_with({"access_token": "stuck", "expires_in": 7200})

    with pytest.raises(WechatUnavailable) as caught:
        access_token.renew(app, failed=access_token.get(app))

    assert caught.value.retry_after == 2


def test_many_threads_with_a_replaced_token_renew_once(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    read_phone(app, wechat_simulator)
    wechat_simulator.revoke_access_tokens(app.app_id)
    wechat_simulator.fail(STABLE_TOKEN, delay=0.1)

    numbers = run_at_once([lambda: read_phone(app, wechat_simulator)] * 8)

    assert not [number for number in numbers if isinstance(number, Exception)]
    assert forced(wechat_simulator) == [False, False]


def test_token_that_another_has_renewed_is_taken_without_a_call(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    failed = access_token.get(app)
    keep(app, "newer")

    assert access_token.renew(app, failed=failed).value == "newer"
    assert len(wechat_simulator.calls(STABLE_TOKEN)) == 1


def test_other_refusals_renew_nothing(app: WechatApp, wechat_simulator: WechatSimulator) -> None:
    wechat_simulator.fail(PHONE_NUMBER, errcode=48004)

    with pytest.raises(WechatConfigError):
        read_phone(app, wechat_simulator)

    assert len(wechat_simulator.calls(STABLE_TOKEN)) == 1
    assert len(wechat_simulator.calls(PHONE_NUMBER)) == 1


def test_failed_token_is_out_of_the_cache_while_the_new_one_is_fetched(
    app: WechatApp, settings: Any
) -> None:
    """Or else everybody takes it meanwhile, fails, and comes to renew it as well."""
    keep(app, "failed")
    seen = []
    with serve(http(b'{"access_token":"new","expires_in":7200}')) as server:
        server.on_request = lambda: seen.append(sealed_cache.get(name(app)))
        settings.WXAUTH_API_BASE_URL = server.base_url
        access_token.renew(app, failed=AccessToken(value="failed", expires_at=0))

    assert seen == [None]
    assert access_token.get(app).value == "new"


# Without a cache


def test_broken_cache_costs_calls_and_no_failure(
    app: WechatApp, wechat_simulator: WechatSimulator, settings: Any
) -> None:
    settings.CACHES = BROKEN

    assert read_phone(app, wechat_simulator)
    assert read_phone(app, wechat_simulator)

    assert forced(wechat_simulator) == [False, False]


def test_replaced_token_is_renewed_without_a_cache(
    app: WechatApp, wechat_simulator: WechatSimulator, settings: Any
) -> None:
    settings.CACHES = BROKEN
    failed = access_token.get(app)
    wechat_simulator.revoke_access_tokens(app.app_id)

    assert access_token.renew(app, failed=failed).value != failed.value


def test_nothing_is_forced_without_a_cache(
    app: WechatApp, wechat_simulator: WechatSimulator, settings: Any
) -> None:
    """Nobody could tell how often; and each time kills the token that others use."""
    settings.CACHES = BROKEN
    wechat_simulator.fail(PHONE_NUMBER, errcode=40001, times=None)

    with pytest.raises(WechatUnavailable) as caught:
        read_phone(app, wechat_simulator)

    assert caught.value.__context__ is None
    assert forced(wechat_simulator) == [False, False]
    assert len(wechat_simulator.calls(PHONE_NUMBER)) == 1


def test_token_sealed_with_a_lost_key_is_fetched_again(
    app: WechatApp, wechat_simulator: WechatSimulator, settings: Any
) -> None:
    access_token.get(app)
    settings.WXAUTH_ENCRYPTION_KEYS = ["another"]

    assert access_token.get(app)
    assert len(wechat_simulator.calls(STABLE_TOKEN)) == 2
