"""What WeChat can do to us, and what the mini program is told: table 9.1, route by route."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.answers import check_error, row_counts
from tests.conftest import empty_caches
from tests.phone import Phone
from wxauth.simulator.faults import TransportFault
from wxauth.simulator.quirks import Quirk
from wxauth.wechat import exchange, http
from wxauth.wechat.errcodes import CODE_TO_SESSION, PHONE_NUMBER, STABLE_TOKEN

PATHS = [CODE_TO_SESSION, STABLE_TOKEN, PHONE_NUMBER]

# Status, code, action and Retry-After; ANY: some seconds.
ANY = "some"
CODE = (400, "wechat_code_invalid", "login_again", None)
PHONE_CODE = (400, "wechat_phone_code_invalid", "press_phone_button", None)
BLOCKED = (403, "wechat_user_blocked", "stop", None)
REAUTHORIZE = (401, "wechat_reauthorize", "authorize", None)
STALE = (409, "wechat_session_stale", "login_again", None)
MINUTE = (429, "wechat_rate_limited", "wait", "60")
QUOTA = (503, "wechat_quota_exceeded", "wait", ANY)
BUSY = (503, "wechat_unavailable", "login_again", "2")
TIMEOUT = (504, "wechat_timeout", "login_again", "2")
CONFIG = (500, "wechat_config_error", "stop", None)
UNKNOWN = (502, "wechat_error", "login_again", None)

ALARMS = {"wechat_config_error", "wechat_quota_exceeded"}
EVERYWHERE = {
    -1: BUSY,
    40002: CONFIG,
    40013: CONFIG,
    40029: CODE,
    40030: REAUTHORIZE,
    40125: CONFIG,
    40163: CODE,
    40164: CONFIG,
    40226: BLOCKED,
    40243: CONFIG,
    41001: CONFIG,
    41002: CONFIG,
    41004: CONFIG,
    41008: CODE,
    42002: REAUTHORIZE,
    42003: CODE,
    42007: REAUTHORIZE,
    43001: CONFIG,
    43002: CONFIG,
    43003: CONFIG,
    44002: CONFIG,
    45009: QUOTA,
    45011: MINUTE,
    45035: CONFIG,
    47001: CONFIG,
    48001: CONFIG,
    48004: CONFIG,
    50002: BLOCKED,
    50004: CONFIG,
    50007: CONFIG,
    61003: CONFIG,
    61004: CONFIG,
    61007: CONFIG,
    61024: CONFIG,
    87007: STALE,
    87009: STALE,
    89501: CONFIG,
    89503: CONFIG,
    89504: CONFIG,
    89505: CONFIG,
    89506: CONFIG,
    89507: CONFIG,
    99999: UNKNOWN,
    123: UNKNOWN,
}
AT = {
    CODE_TO_SESSION: {40001: CONFIG},
    STABLE_TOKEN: {40001: CONFIG},
    PHONE_NUMBER: {
        # After one renewal of the access_token and one repetition.
        **dict.fromkeys((40001, 40014, 42001), BUSY),
        **dict.fromkeys((40003, 40013, 40029, 40163, 41008, 42003), PHONE_CODE),
        # What an openid that does not match is answered is not documented.
        **dict.fromkeys((99999, 123), PHONE_CODE),
    },
}


@pytest.fixture(autouse=True)
def _no_waiting(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": None, "person": None}
    monkeypatch.setattr(exchange, "PAUSE", 0)
    http.close_sessions()


@pytest.fixture
def suffer(phone: Phone, member: Phone) -> Callable[..., Any]:
    """Return a function that makes the request that calls this path, and asserts that it fails."""

    def suffer(path: str) -> Any:
        rows = row_counts()
        if path == CODE_TO_SESSION:
            response = phone.sign_in("authorize")
        else:
            empty_caches()  # nor is there an access_token
            response = member.bind_phone()
        assert row_counts() == rows
        return response

    return suffer


def outcome(response: Any) -> tuple[Any, ...]:
    body = check_error(response)
    wait = response.get("Retry-After")
    if wait not in (None, "2", "60"):
        assert 0 < int(wait) <= 86_400
        wait = ANY
    return response.status_code, body["code"], body["action"], wait


@pytest.mark.parametrize("path", PATHS)
def test_each_errcode_is_answered_as_the_table_says(
    suffer: Any, member: Phone, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = {}
    for errcode, expected in {**EVERYWHERE, **AT[path]}.items():
        member.simulator.fail(path, errcode=errcode, times=None)
        member.simulator.advance(31)  # WeChat lets an access_token be forced every 30 seconds
        caplog.clear()
        response = suffer(path)
        member.simulator.clear_faults()
        body, alarms = response.json(), [r for r in caplog.records if r.levelname == "ERROR"]
        alarms = [r for r in alarms if r.name.startswith("wxauth.")]
        if outcome(response) != expected or body.get("errcode") != errcode or not body.get("rid"):
            wrong[errcode] = (outcome(response), body)
        if (body["code"] in ALARMS) != bool(alarms):
            wrong[errcode] = ("alarm", caplog.text)
        for alarm in alarms:
            assert f"errcode {errcode}" in alarm.getMessage()
            assert f"rid {body['rid']}" in alarm.getMessage()
        assert member.app.app_secret not in caplog.text + response.content.decode()
    assert not wrong


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
def test_stale_access_token_is_renewed_unseen(member: Phone, errcode: int) -> None:
    member.simulator.fail(PHONE_NUMBER, errcode=errcode, times=1)
    assert member.bind_phone().status_code == 200
    assert len(member.simulator.calls(PHONE_NUMBER)) == 2


@pytest.mark.parametrize("path", PATHS)
def test_busy_once_is_asked_again_unseen(
    phone: Phone, member: Phone, suffer: Any, path: str
) -> None:
    calls = len(member.simulator.calls(path))
    member.simulator.fail(path, errcode=-1, times=1)
    response = phone.sign_in() if path == CODE_TO_SESSION else member.bind_phone()
    assert response.status_code in (200, 201)
    assert len(member.simulator.calls(path)) == calls + 2


@pytest.mark.parametrize("fault", TransportFault)
@pytest.mark.parametrize("path", PATHS)
def test_each_fault_of_the_wire_is_a_503_or_504(
    suffer: Any, member: Phone, settings: Any, path: str, fault: TransportFault
) -> None:
    calls = len(member.simulator.calls(path))
    member.simulator.fail(path, fault=fault, times=None)
    slow = fault in {TransportFault.TIMEOUT, TransportFault.READ_TIMEOUT_AFTER_PROCESSING}
    if slow:
        settings.WXAUTH_TIMEOUTS = (5, 0.1)
    response = suffer(path)
    assert outcome(response) == (TIMEOUT if slow else BUSY)
    assert set(response.json()) == {"code", "detail", "action"}
    made = len(member.simulator.calls(path)) - calls
    # Only what spends no code is asked again.
    assert made <= (2 if path == STABLE_TOKEN and not slow else 1)


@pytest.mark.parametrize("path", PATHS)
def test_no_connection_is_a_503(suffer: Any, path: str, settings: Any, closed_port: int) -> None:
    settings.WXAUTH_API_BASE_URL = f"http://127.0.0.1:{closed_port}"
    assert outcome(suffer(path)) == BUSY


@pytest.mark.parametrize("quirk", Quirk)
def test_each_oddity_of_wechat_goes_unnoticed(phone: Phone, quirk: Quirk) -> None:
    phone.simulator.quirks = {quirk}
    code = phone.code()
    assert phone.sign_in("register_complex", code=code, **phone.open_data()).status_code == 201
    assert phone.bind_phone().status_code == 200
    data = phone.phone_button()
    body = {"encryptedData": data["encryptedData"], "iv": data["iv"]}
    assert phone.post("bind_phone", body).status_code == 200


def test_errcode_as_text_is_understood(phone: Phone) -> None:
    phone.simulator.quirks = {Quirk.ERRCODE_AS_STRING, Quirk.ERRMSG_HINT}
    response = phone.sign_in("login", code="0123456789abcdef")
    body = check_error(response, 400, "wechat_code_invalid")
    assert body["errcode"] == 40029
    assert body["rid"]


def test_lost_answer_costs_the_code_and_is_not_asked_again(phone: Phone, settings: Any) -> None:
    code = phone.code()
    phone.simulator.fail(CODE_TO_SESSION, fault="read_timeout_after_processing")
    settings.WXAUTH_TIMEOUTS = (5, 0.1)
    check_error(phone.sign_in(code=code), 504, "wechat_timeout")
    settings.WXAUTH_TIMEOUTS = (5, 5)
    assert len(phone.simulator.calls(CODE_TO_SESSION)) == 1
    body = check_error(phone.sign_in(code=code), 400, "wechat_code_invalid")
    assert body["errcode"] == 40163
    assert phone.sign_in().status_code == 201, "a new code works"


def test_blocked_person_is_refused(phone: Phone) -> None:
    phone.simulator.user(phone.name).blocked = True
    check_error(phone.sign_in(), 403, "wechat_user_blocked")
