"""What the tests of the WeChat client share."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.wechat.raw_server import http as http_answer
from tests.wechat.raw_server import serve
from wxauth.wechat import exchange, http


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a busy WeChat again at once."""
    monkeypatch.setattr(exchange, "PAUSE", 0)


@pytest.fixture(autouse=True)
def _new_connections() -> Iterator[None]:
    """Start each test without kept connections, so that they can be counted."""
    http.close_sessions()
    yield
    http.close_sessions()


@pytest.fixture
def answer_with(settings: Any) -> Iterator[Callable[..., None]]:
    """Return a function that lets WeChat answer these objects, one after the other."""
    with ExitStack() as stack:

        def answer_with(*answers: object) -> None:
            bodies = [http_answer(json.dumps(answer).encode()) for answer in answers]
            settings.WXAUTH_API_BASE_URL = stack.enter_context(serve(*bodies)).base_url

        yield answer_with
