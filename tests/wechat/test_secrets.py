"""
No secret in any log record, exception, traceback or repr: incidents 8, 24, 39, 40 and 44.

WeChat wants the app secret and the access_token in the query, and urllib3 logs whole URLs.
"""

import logging
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from django.views.debug import ExceptionReporter

from wxauth.conf import WechatApp
from wxauth.exceptions import WechatError
from wxauth.simulator import WechatSimulator
from wxauth.wechat import access_token, client, http
from wxauth.wechat.errcodes import (
    CHECK_SESSION,
    CODE_TO_SESSION,
    PHONE_NUMBER,
    RESET_SESSION_KEY,
    STABLE_TOKEN,
)
from wxauth.wechat.types import AccessToken, Answer, Call, CodeSession, PhoneInfo

HERE = Path(__file__).parent
KEY = "gqi+ECTGh+q18yn5whIQJw=="
SHORT, LONG = (2, 0.1), (2, 5)  # seconds to connect, to read
FAULTS: dict[str, dict[str, Any]] = {
    "timeout": {"fault": "timeout"},
    "reset": {"fault": "reset"},
    "html": {"fault": "html502"},
    "empty": {"fault": "empty"},
    "truncated": {"fault": "truncated"},
    "incomplete": {"fault": "incomplete"},
    "busy": {"errcode": -1},
    "refused": {"errcode": 40029},
    "wrong secret": {"errcode": 40125},
    "stale token": {"errcode": 40001},
    "unknown": {"errcode": 12345},
}


class Scene:
    """One person and one app; makes every call, and knows all that must stay secret."""

    def __init__(self, app: WechatApp, simulator: WechatSimulator) -> None:
        self.app = app
        self.simulator = simulator
        simulator.session_key_rotation = "never"
        self.login_code = simulator.login("ann", app.app_id)
        self.phone_code = simulator.phone("ann", app.app_id)["code"]
        self.openid = simulator.openid("ann", app.app_id)
        self.session_key = simulator.session_key("ann", app.app_id)
        self.calls: dict[str, Callable[[], object]] = {
            CODE_TO_SESSION: lambda: client.code_to_session(app, login_code=self.login_code),
            STABLE_TOKEN: lambda: access_token.get(app),
            PHONE_NUMBER: lambda: client.phone_number(
                app, phone_code=self.phone_code, openid=self.openid
            ),
            CHECK_SESSION: lambda: client.check_session_key(
                app, openid=self.openid, session_key=self.session_key
            ),
            RESET_SESSION_KEY: lambda: client.reset_session_key(
                app, openid=self.openid, session_key=self.session_key
            ),
        }

    def secrets(self) -> set[str]:
        """Return what has gone over the wire, or come back, and may be seen nowhere else."""
        found = {self.app.app_secret, self.session_key, self.login_code, self.phone_code}
        found |= {self.openid, self.simulator.session_key("ann", self.app.app_id)}
        found |= {self.simulator.access_token(self.app.app_id)}
        found |= {self.simulator.user("ann").phone_number}
        for call in self.simulator.requests:
            found |= {call.query.get("access_token", ""), call.query.get("signature", "")}
        return found - {""}

    def leaks(self, text: str) -> list[str]:
        return [secret for secret in self.secrets() if secret in text]


@pytest.fixture
def scene(app: WechatApp, wechat_simulator: WechatSimulator) -> Scene:
    return Scene(app, wechat_simulator)


def everything_of(records: list[logging.LogRecord]) -> str:
    return "\n".join(f"{record.getMessage()} {vars(record)!r}" for record in records)


def own_part(error: BaseException) -> TracebackType | None:
    """Return the traceback without the frames of the tests, which hold all secrets."""
    trace = error.__traceback__
    while trace and Path(trace.tb_frame.f_code.co_filename).is_relative_to(HERE):
        trace = trace.tb_next
    return trace


def shown_with_locals(error: BaseException) -> str:
    """Return the error as error trackers show it: the whole chain, with local variables."""
    shown = traceback.TracebackException(
        type(error), error, own_part(error), capture_locals=True, compact=False
    )
    return "".join(shown.format())


# Logs


def test_no_log_record_of_a_success_has_a_secret(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for call in scene.calls.values():
        call()

    assert scene.leaks(everything_of(caplog.records)) == []
    # The scan has seen the records that would have had them.
    assert f"{CODE_TO_SESSION}?[hidden] HTTP/1.1" in caplog.text
    assert f"{PHONE_NUMBER}?[hidden] HTTP/1.1" in caplog.text


@pytest.mark.parametrize("fault", FAULTS)
def test_no_log_record_of_a_failure_has_a_secret(
    fault: str, scene: Scene, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    access_token.get(scene.app)
    settings.WXAUTH_TIMEOUTS = SHORT if fault == "timeout" else LONG
    for path, call in scene.calls.items():
        if path != STABLE_TOKEN:
            scene.simulator.fail(path, **FAULTS[fault], times=None)
            with pytest.raises(WechatError):
                call()

    assert scene.leaks(everything_of(caplog.records)) == []


def test_no_log_record_of_a_refused_connection_has_a_secret(
    scene: Scene, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    """urllib3 logs the URL at WARNING when it connects a second time."""
    caplog.set_level(logging.DEBUG)
    settings.WXAUTH_API_BASE_URL = "http://127.0.0.1:1"
    with pytest.raises(WechatError):
        scene.calls[CODE_TO_SESSION]()

    assert "Retrying" in caplog.text
    assert scene.leaks(everything_of(caplog.records)) == []


def test_records_of_other_software_are_left_alone() -> None:
    record = logging.LogRecord(
        "urllib3.connectionpool", logging.DEBUG, "", 0, "GET %s", ("/shop?code=1",), None
    )

    assert http.HideQueries().filter(record)
    assert (record.msg, record.args) == ("GET %s", ("/shop?code=1",))


@pytest.mark.parametrize(
    ("errcode", "level"),
    [(40125, logging.ERROR), (45009, logging.ERROR), (40029, logging.INFO), (1, logging.WARNING)],
)
def test_refusal_is_logged_once_and_as_an_alarm_where_an_operator_must_act(
    errcode: int, level: int, scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "wxauth")
    scene.simulator.fail(CODE_TO_SESSION, errcode=errcode)
    with pytest.raises(WechatError) as caught:
        scene.calls[CODE_TO_SESSION]()

    (record,) = [r for r in caplog.records if r.name.startswith("wxauth.w")]
    assert record.levelno == level
    assert f"errcode {errcode}" in record.getMessage()
    assert caught.value.rid
    assert caught.value.rid in record.getMessage()


def test_alarm_about_the_token_is_raised_once_too(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.simulator.fail(STABLE_TOKEN, errcode=40164, errmsg="invalid ip 203.0.113.9, not in list")
    with pytest.raises(WechatError):
        scene.calls[PHONE_NUMBER]()

    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert record.name == "wxauth.wechat"
    assert "203.0.113.9" not in caplog.text


# Exceptions


@pytest.mark.parametrize(
    "path", [CODE_TO_SESSION, STABLE_TOKEN, PHONE_NUMBER, CHECK_SESSION, RESET_SESSION_KEY]
)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_exception_shows_a_secret(fault: str, path: str, scene: Scene, settings: Any) -> None:
    if path != STABLE_TOKEN:
        access_token.get(scene.app)
    settings.WXAUTH_TIMEOUTS = SHORT if fault == "timeout" else LONG
    scene.simulator.fail(path, **FAULTS[fault], times=None)
    with pytest.raises(WechatError) as caught:
        scene.calls[path]()

    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    # What is an argument, the caller has in his own frames.
    theirs = {scene.login_code, scene.phone_code, scene.openid}
    if path in (CHECK_SESSION, RESET_SESSION_KEY):
        theirs.add(scene.session_key)
    assert set(scene.leaks(shown_with_locals(error))) <= theirs
    assert scene.leaks(f"{error!r} {error} {vars(error)}") == []


def test_refused_connection_shows_no_secret(scene: Scene, settings: Any) -> None:
    settings.WXAUTH_API_BASE_URL = "http://127.0.0.1:1"
    with pytest.raises(WechatError) as caught:
        scene.calls[CODE_TO_SESSION]()

    assert caught.value.__context__ is None
    assert set(scene.leaks(shown_with_locals(caught.value))) <= {scene.login_code}


@pytest.mark.parametrize("path", [CODE_TO_SESSION, PHONE_NUMBER, RESET_SESSION_KEY])
def test_django_error_report_shows_no_secret(path: str, scene: Scene) -> None:
    """Codes and session_keys are arguments; our functions mark them as sensitive."""
    scene.simulator.fail(path, errcode=12345)
    frames: list[dict[str, Any]] = []
    try:
        scene.calls[path]()
    except WechatError:
        frames = ExceptionReporter(None, *sys.exc_info()).get_traceback_frames()

    ours = [frame for frame in frames if not Path(frame["filename"]).is_relative_to(HERE)]
    assert ours
    assert set(scene.leaks(repr([frame["vars"] for frame in ours]))) <= {scene.openid}


def test_senseless_answer_shows_no_secret(app: WechatApp, answer_with: Callable[..., None]) -> None:
    answer_with({"openid": "", "session_key": KEY})
    with pytest.raises(WechatError) as caught:
        client.code_to_session(app, login_code="code")

    assert KEY not in shown_with_locals(caught.value)


# Records


@pytest.mark.static
@pytest.mark.parametrize(
    "record",
    [
        CodeSession(openid="o1", unionid=None, session_key="hidden"),
        AccessToken(value="hidden", expires_at=1.0),
        PhoneInfo(pure_number="hidden", country_code="86", issued_at=datetime.now(UTC)),
        Call("/sns/jscode2session", query={"secret": "hidden"}, body={"secret": "hidden"}),
        Answer({"session_key": "hidden"}),
    ],
    ids=lambda record: type(record).__name__,
)
def test_repr_shows_no_secret(record: object) -> None:
    assert "hidden" not in f"{record!r} {record}"
