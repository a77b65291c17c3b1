"""
Fixtures that any test may want.

``wechat_simulator`` is no part of this file: the package brings it as a pytest plugin.
"""

import socket
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import caches
from django.core.cache.backends import locmem
from django.db import connection
from rest_framework.test import APIClient

from tests.counting import Counter, counter
from wxauth.conf import WechatApp, conf
from wxauth.simulator import WechatSimulator
from wxauth.sms.base import SmsMessage
from wxauth.sms.memory import outbox as sent_messages

# A test with one of these marks only exists where its condition holds; it is not skipped elsewhere.
CONDITIONS = {
    "database_server": lambda: connection.vendor != "sqlite",
    "redis": lambda: "redis" in settings.CACHES["default"]["BACKEND"],
    "standard_user": lambda: settings.AUTH_USER_MODEL == "auth.User",
    "aliyun": lambda: find_spec("alibabacloud_dysmsapi20170525") is not None,
    "tencent": lambda: find_spec("tencentcloud") is not None,
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that have no meaning on this database or cache."""
    absent = [name for name, is_met in CONDITIONS.items() if not is_met()]
    left_out = [item for item in items if any(map(item.get_closest_marker, absent))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def empty_caches() -> None:
    """Empty each cache; in a Redis that others use too, only what has our prefix."""
    # A test may have put caches of its own into the settings; their memory outlives the settings.
    for memory in (*locmem._caches.values(), *locmem._expire_info.values()):
        memory.clear()
    for cache in caches.all():
        if hasattr(cache, "delete_pattern"):
            cache.delete_pattern("*")
        else:
            cache.clear()


@pytest.fixture(autouse=True)
def _empty_caches() -> Iterator[None]:
    """Let no test see what another one has cached, and leave nothing behind."""
    empty_caches()
    yield
    empty_caches()


@pytest.fixture
def api() -> APIClient:
    """A client that sends and reads JSON, or forms, and sends no credentials of its own."""
    return APIClient()


@pytest.fixture
def app() -> WechatApp:
    """The default app, a mini program."""
    return conf.app("default")


@pytest.fixture
def other_app() -> WechatApp:
    """Another mini program in the union scope of the default app."""
    return conf.app("second")


@pytest.fixture
def foreign_app() -> WechatApp:
    """A mini program in a union scope of its own."""
    return conf.app("foreign")


@pytest.fixture
def outbox() -> Iterator[list[SmsMessage]]:
    """The text messages that were sent, the last one last."""
    sent_messages.clear()
    yield sent_messages
    sent_messages.clear()


@pytest.fixture
def make_user(db: None) -> Callable[..., Any]:
    """Return a function that makes a user of the host's model, whatever its username field."""

    def make_user(name: str = "", **fields: Any) -> Any:
        model = get_user_model()
        name = name or uuid4().hex[:12]
        if model.USERNAME_FIELD == "email":
            fields.setdefault("email", f"{name}@example.com")
        else:
            fields.setdefault("username", name)
        return model._default_manager.create_user(**fields)

    return make_user


@pytest.fixture
def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def local_memory(settings: Any) -> None:
    """An empty cache whose clock a test can move, which that of Redis is not."""
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "LOCATION": uuid4().hex,
        }
    }


@pytest.fixture
def recording_cache(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "tests.counting.RecordingCache"}}


@pytest.fixture
def counted(recording_cache: None, wechat_simulator: WechatSimulator) -> Counter:
    """Return a context that counts what happens in it."""
    return counter(wechat_simulator)
