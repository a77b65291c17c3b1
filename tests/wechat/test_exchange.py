"""How often WeChat is asked: once, or twice where that is safe and helps, never more."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.wechat.raw_server import HANG, http, serve
from wxauth import exceptions as e
from wxauth.conf import WechatApp
from wxauth.simulator import WechatSimulator
from wxauth.wechat import access_token, client
from wxauth.wechat.errcodes import CHECK_SESSION, CODE_TO_SESSION, PHONE_NUMBER, STABLE_TOKEN

Ask = Callable[[], object]


@pytest.fixture
def ask(request: pytest.FixtureRequest, app: WechatApp, wechat_simulator: WechatSimulator) -> Ask:
    """A good call of the path that the test is parametrised with."""
    path, simulator = request.param, wechat_simulator
    simulator.session_key_rotation = "never"
    session = client.code_to_session(app, login_code=simulator.login("ann", app.app_id))
    if path != STABLE_TOKEN:
        access_token.get(app)
    login_code = simulator.login("ann", app.app_id)
    phone_code = simulator.phone("ann", app.app_id)["code"]
    calls: dict[str, Ask] = {
        CODE_TO_SESSION: lambda: client.code_to_session(app, login_code=login_code),
        PHONE_NUMBER: lambda: client.phone_number(app, phone_code=phone_code),
        STABLE_TOKEN: lambda: client.phone_number(app, phone_code=phone_code),
        CHECK_SESSION: lambda: client.check_session_key(
            app, openid=session.openid, session_key=session.session_key
        ),
    }
    return calls[path]


def at(*rows: tuple[Any, ...]) -> Any:
    """Parametrise by path, used for the call and its name alike, and what the rows add."""
    return [
        pytest.param(path, path, *rest, id=" ".join(map(str, [path, *rest])))
        for path, *rest in rows
    ]


ALL = (CODE_TO_SESSION, PHONE_NUMBER, STABLE_TOKEN, CHECK_SESSION)


@pytest.mark.parametrize(("ask", "path"), at(*[(p,) for p in ALL]), indirect=["ask"])
def test_busy_once_is_asked_again(ask: Ask, path: str, wechat_simulator: WechatSimulator) -> None:
    before = len(wechat_simulator.calls(path))
    wechat_simulator.fail(path, errcode=-1)

    assert ask()

    assert len(wechat_simulator.calls(path)) == before + 2


@pytest.mark.parametrize(("ask", "path"), at(*[(p,) for p in ALL]), indirect=["ask"])
def test_busy_twice_is_unavailable(ask: Ask, path: str, wechat_simulator: WechatSimulator) -> None:
    before = len(wechat_simulator.calls(path))
    wechat_simulator.fail(path, errcode=-1, times=None)

    with pytest.raises(e.WechatUnavailable) as caught:
        ask()

    assert (caught.value.errcode, caught.value.retry_after) == (-1, 2)
    assert len(wechat_simulator.calls(path)) == before + 2


@pytest.mark.parametrize(
    ("ask", "path", "fault", "error", "calls"),
    at(
        # Single use: the code may be spent, so nobody asks again.
        (CODE_TO_SESSION, "reset", e.WechatUnavailable, 1),
        (CODE_TO_SESSION, "reset_after_processing", e.WechatUnavailable, 1),
        (CODE_TO_SESSION, "incomplete", e.WechatUnavailable, 1),
        (PHONE_NUMBER, "reset", e.WechatUnavailable, 1),
        (PHONE_NUMBER, "reset_after_processing", e.WechatUnavailable, 1),
        # These do no harm twice.
        (STABLE_TOKEN, "reset", e.WechatUnavailable, 2),
        (CHECK_SESSION, "reset", e.WechatUnavailable, 2),
        (CHECK_SESSION, "incomplete", e.WechatUnavailable, 2),
        # An answer is an answer.
        *[
            (path, fault, e.WechatUnavailable, 1)
            for path in ALL
            for fault in ("html502", "empty", "truncated", "json_array", "invalid_utf8")
        ],
    ),
    indirect=["ask"],
)
def test_fault_is_asked_about_as_often_as_is_safe(
    ask: Ask,
    path: str,
    fault: str,
    error: type[e.WechatError],
    calls: int,
    wechat_simulator: WechatSimulator,
) -> None:
    before = len(wechat_simulator.calls(path))
    wechat_simulator.fail(path, fault=fault, times=None)

    with pytest.raises(error) as caught:
        ask()

    assert (caught.value.status, caught.value.retry_after) == (503, 2)
    assert len(wechat_simulator.calls(path)) == before + calls


@pytest.mark.parametrize(("ask", "path"), at(*[(p,) for p in ALL]), indirect=["ask"])
@pytest.mark.parametrize("fault", ["timeout", "read_timeout_after_processing"])
def test_read_timeout_is_not_asked_again(
    ask: Ask, path: str, fault: str, wechat_simulator: WechatSimulator, settings: Any
) -> None:
    settings.WXAUTH_TIMEOUTS = (2, 0.1)
    before = len(wechat_simulator.calls(path))
    wechat_simulator.fail(path, fault=fault, times=None)

    with pytest.raises(e.WechatTimeout) as caught:
        ask()

    assert caught.value.status == 504
    assert len(wechat_simulator.calls(path)) == before + 1


@pytest.mark.parametrize(("ask", "path"), at((STABLE_TOKEN,), (CHECK_SESSION,)), indirect=["ask"])
def test_one_reset_of_a_repeatable_call_is_not_noticed(
    ask: Ask, path: str, wechat_simulator: WechatSimulator
) -> None:
    wechat_simulator.fail(path, fault="reset")

    assert ask()


def test_busy_then_used_code_is_code_invalid(app: WechatApp, settings: Any) -> None:
    with serve(http(b'{"errcode":-1}'), http(b'{"errcode":40163}')) as server:
        settings.WXAUTH_API_BASE_URL = server.base_url

        with pytest.raises(e.WechatCodeInvalid):
            client.code_to_session(app, login_code="code")

    assert len(server.requests) == 2


def test_busy_then_reset_ends_after_two_requests(app: WechatApp, settings: Any) -> None:
    with serve(http(b'{"errcode":-1}'), b"") as server:
        settings.WXAUTH_API_BASE_URL = server.base_url

        with pytest.raises(e.WechatUnavailable):
            client.phone_number(app, phone_code="code")

    assert len(server.requests) == 2


def test_reset_then_busy_ends_after_two_requests(app: WechatApp, settings: Any) -> None:
    with serve(b"", http(b'{"errcode":-1}')) as server:
        settings.WXAUTH_API_BASE_URL = server.base_url

        with pytest.raises(e.WechatUnavailable):
            client.phone_number(app, phone_code="code")

    assert len(server.requests) == 2


def test_spent_code_after_a_lost_answer_is_code_invalid(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    """The client tries the same code again itself: race R5."""
    code = wechat_simulator.login("ann", app.app_id)
    wechat_simulator.fail(CODE_TO_SESSION, fault="reset_after_processing")
    with pytest.raises(e.WechatUnavailable):
        client.code_to_session(app, login_code=code)

    with pytest.raises(e.WechatCodeInvalid) as caught:
        client.code_to_session(app, login_code=code)

    assert caught.value.errcode == 40163


@pytest.mark.parametrize("errcode", [b'"x"', b"[]", b"{}1", b'{"a":1}', b"1e999", b"NaN", b'""'])
def test_errcode_that_is_no_number_is_unavailable(
    errcode: bytes, app: WechatApp, settings: Any
) -> None:
    with serve(http(b'{"errcode":' + errcode + b"}")) as server:
        settings.WXAUTH_API_BASE_URL = server.base_url

        with pytest.raises(e.WechatUnavailable) as caught:
            client.code_to_session(app, login_code="code")

    assert (caught.value.retry_after, len(server.requests)) == (2, 1)
    assert caught.value.__context__ is None


def test_hanging_server_holds_the_caller_no_longer_than_the_timeout(
    app: WechatApp, settings: Any
) -> None:
    settings.WXAUTH_TIMEOUTS = (2, 0.1)
    with serve(HANG) as server:
        settings.WXAUTH_API_BASE_URL = server.base_url

        with pytest.raises(e.WechatTimeout):
            client.code_to_session(app, login_code="code")
