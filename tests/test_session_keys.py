"""session_key: encrypted in the cache under the sid, and nowhere else."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import caches

from tests.cache_dump import everything_in_the_cache
from wxauth import session_keys
from wxauth.exceptions import WechatSessionStale

SESSION_KEY = "gqi+ECTGh+q18yn5whIQJw=="
DEAD_CACHE = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": "redis://127.0.0.1:1/0",  # nobody listens there
    }
}


def test_kept_key_is_fetched_by_its_sid_only() -> None:
    sid = uuid4()
    session_keys.keep(sid, SESSION_KEY)
    assert session_keys.fetch(sid) == SESSION_KEY
    with pytest.raises(WechatSessionStale):
        session_keys.fetch(uuid4())


def test_forgotten_key_is_stale() -> None:
    sid = uuid4()
    session_keys.keep(sid, SESSION_KEY)
    session_keys.forget([sid])
    with pytest.raises(WechatSessionStale):
        session_keys.fetch(sid)


def test_no_key_is_kept_for_a_proof_without_one() -> None:
    sid = uuid4()
    session_keys.keep(sid, None)
    with pytest.raises(WechatSessionStale):
        session_keys.fetch(sid)


def test_cache_does_not_tell_the_key() -> None:
    session_keys.keep(uuid4(), SESSION_KEY)
    dump = everything_in_the_cache(caches["default"])
    assert "session_key" in dump, "its name"
    assert SESSION_KEY not in dump


def test_key_moved_to_another_session_does_not_open() -> None:
    sid, other = uuid4(), uuid4()
    session_keys.keep(sid, SESSION_KEY)
    cache = caches["default"]
    name = "wxauth:session_key:"
    cache.set(name + other.hex, cache.get(name + sid.hex))
    with pytest.raises(WechatSessionStale):
        session_keys.fetch(other)


def test_encryption_keys_rotate(settings: Any) -> None:
    sid = uuid4()
    settings.WXAUTH_ENCRYPTION_KEYS = ["the old one"]
    session_keys.keep(sid, SESSION_KEY)
    settings.WXAUTH_ENCRYPTION_KEYS = ["the new one", "the old one"]
    assert session_keys.fetch(sid) == SESSION_KEY
    settings.WXAUTH_ENCRYPTION_KEYS = ["the new one"]
    with pytest.raises(WechatSessionStale):
        session_keys.fetch(sid)


def test_secret_key_rotates_with_its_fallbacks(settings: Any) -> None:
    sid = uuid4()
    session_keys.keep(sid, SESSION_KEY)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new secret key for the project, long enough"
    assert session_keys.fetch(sid) == SESSION_KEY


@pytest.mark.static
def test_time_to_live_is_the_setting(settings: Any, time_machine: Any) -> None:
    settings.WXAUTH_SESSION_KEY_TTL = timedelta(minutes=5)
    time_machine.move_to(1_800_000_000, tick=False)
    sid = uuid4()
    session_keys.keep(sid, SESSION_KEY)
    time_machine.shift(299)
    assert session_keys.fetch(sid) == SESSION_KEY
    time_machine.shift(2)
    with pytest.raises(WechatSessionStale):
        session_keys.fetch(sid)


def test_dead_cache_stops_neither_sign_in_nor_logout(settings: Any, caplog: Any) -> None:
    settings.CACHES = DEAD_CACHE
    session_keys.keep(uuid4(), SESSION_KEY)
    session_keys.forget([uuid4()])
    assert "could not be kept" in caplog.text
    assert SESSION_KEY not in caplog.text
