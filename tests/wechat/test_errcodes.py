"""Every errcode becomes the exception that the client can act on; nothing else of it gets out."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from wxauth import exceptions as e
from wxauth.conf import WechatApp
from wxauth.simulator import WechatSimulator
from wxauth.wechat import client
from wxauth.wechat.errcodes import (
    CODE_TO_SESSION,
    PHONE_NUMBER,
    STABLE_TOKEN,
    USER_INFO,
    find_rid,
    meaning,
    refusal,
    seconds_to_midnight_in_china,
)
from wxauth.wechat.types import Answer

CONFIG = [
    *(40002, 40013, 40125, 40164, 40243, 41001, 41002, 41004, 43001, 43002, 43003, 44002, 45035),
    *(47001, 48001, 48004, 50004, 50007, 61003, 61004, 61007, 61024),
    *(89501, 89503, 89504, 89505, 89506, 89507),
]
COMMON: dict[int, type[e.WechatError]] = {
    **dict.fromkeys(CONFIG, e.WechatConfigError),
    -1: e.WechatUnavailable,
    40030: e.WechatReauthorize,
    42002: e.WechatReauthorize,
    42007: e.WechatReauthorize,
    40226: e.WechatUserBlocked,
    50002: e.WechatUserBlocked,
    45009: e.WechatQuotaExceeded,
    45011: e.WechatRateLimited,
    87007: e.WechatSessionStale,
    87009: e.WechatSessionStale,
}
AT_LOGIN = {
    **COMMON,
    40001: e.WechatConfigError,
    **dict.fromkeys([40029, 40163, 41008, 42003], e.WechatCodeInvalid),
    **dict.fromkeys([40003, 40097, 41003, 41009, 50001, 50005, 87008], e.WechatError),
    **dict.fromkeys([61005, 61006, 61023, 63178, 89002, 89300], e.WechatError),
    **dict.fromkeys([1, 12345, -2, 99999999], e.WechatError),
}
AT_PHONE = {
    **COMMON,
    **dict.fromkeys([40001, 40014, 42001], e.WechatUnavailable),
    # What is about neither token, outage, limit nor the app is a refusal of this phone code.
    **dict.fromkeys([40003, 40013, 40029, 40163, 41008, 42003], e.WechatPhoneCodeInvalid),
    **dict.fromkeys([40097, 41009, 50001, 12345, -2], e.WechatPhoneCodeInvalid),
}
AT_TOKEN = {**COMMON, 40001: e.WechatConfigError, 12345: e.WechatError}

STATUS = {
    e.WechatCodeInvalid: 400,
    e.WechatPhoneCodeInvalid: 400,
    e.WechatUserBlocked: 403,
    e.WechatReauthorize: 401,
    e.WechatSessionStale: 409,
    e.WechatRateLimited: 429,
    e.WechatQuotaExceeded: 503,
    e.WechatUnavailable: 503,
    e.WechatConfigError: 500,
    e.WechatError: 502,
}

RID = "623ea70a-74b9b592-3e3d489a"


def ask_for_session(app: WechatApp, simulator: WechatSimulator) -> object:
    return client.code_to_session(app, login_code=simulator.login("ann", app.app_id))


def ask_for_phone(app: WechatApp, simulator: WechatSimulator) -> object:
    return client.phone_number(app, phone_code=simulator.phone("ann", app.app_id)["code"])


def rows(
    path: str, call: Callable[..., object], table: dict[int, type[e.WechatError]]
) -> list[Any]:
    name = path.rpartition("/")[2]
    return [
        pytest.param(path, call, errcode, error, id=f"{name} {errcode}")
        for errcode, error in table.items()
    ]


@pytest.mark.parametrize(
    ("path", "call", "errcode", "error"),
    [
        *rows(CODE_TO_SESSION, ask_for_session, AT_LOGIN),
        *rows(PHONE_NUMBER, ask_for_phone, AT_PHONE),
        *rows(STABLE_TOKEN, ask_for_phone, AT_TOKEN),
    ],
)
def test_errcode_becomes_the_error_that_fits_the_endpoint(
    path: str,
    call: Callable[..., object],
    errcode: int,
    error: type[e.WechatError],
    app: WechatApp,
    wechat_simulator: WechatSimulator,
) -> None:
    wechat_simulator.fail(path, errcode=errcode, errmsg="text", times=None)

    with pytest.raises(e.WechatError) as caught:
        call(app, wechat_simulator)

    assert type(caught.value) is error
    assert caught.value.status == STATUS[error]
    assert caught.value.errcode == errcode
    assert len(caught.value.rid or "") == len(RID)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "text" not in str(caught.value)


@pytest.mark.static
def test_userinfo_without_the_scope_is_scope_missing() -> None:
    assert meaning(USER_INFO, 48001).error is e.WechatScopeMissing


@pytest.mark.parametrize("fault", ["errcode_as_string"])
def test_errcode_as_text_is_understood(
    fault: str, app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    wechat_simulator.fail(CODE_TO_SESSION, fault=fault)

    with pytest.raises(e.WechatCodeInvalid) as caught:
        client.code_to_session(app, login_code="unknown")

    assert caught.value.errcode == 40029


# Retry-After


@pytest.mark.static
def test_limit_of_the_minute_says_a_minute() -> None:
    assert refusal(CODE_TO_SESSION, Answer({"errcode": 45011})).retry_after == 60


@pytest.mark.static
def test_busy_says_two_seconds() -> None:
    assert refusal(CODE_TO_SESSION, Answer({"errcode": -1})).retry_after == 2


@pytest.mark.static
def test_used_up_quota_says_until_midnight_in_china() -> None:
    now = datetime(2026, 11, 20, 15, 59, 0, tzinfo=UTC)  # 23:59 in China

    assert refusal(CODE_TO_SESSION, Answer({"errcode": 45009}), now=now).retry_after == 60


@pytest.mark.static
@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (datetime(2026, 11, 20, 16, 0, 0, tzinfo=UTC), 86_400),
        (datetime(2026, 11, 20, 15, 59, 59, 999_999, tzinfo=UTC), 1),
        (datetime(2026, 2, 28, 0, 0, 0, tzinfo=UTC), 16 * 3600),
    ],
    ids=["midnight", "just before", "morning"],
)
def test_seconds_to_midnight_in_china(now: datetime, seconds: int) -> None:
    assert seconds_to_midnight_in_china(now) == seconds


@pytest.mark.static
def test_other_errors_say_no_time() -> None:
    assert refusal(CODE_TO_SESSION, Answer({"errcode": 40029})).retry_after is None


# rid


@pytest.mark.static
@pytest.mark.parametrize(
    ("errmsg", "rid"),
    [
        (f"invalid code, rid: {RID}", RID),
        (f"invalid code rid: {RID}", RID),
        (f"invalid code hint: [abc_De-f1] rid: {RID}", RID),
        ("invalid code, hints: [ req_id: L4fYOa0994s104 ]", "L4fYOa0994s104"),
        ("invalid ip 10.0.0.1, not in whitelist", None),
        ("a grid: 12", None),
        ("rid: ", None),
        ("", None),
        (None, None),
        (40029, None),
        ({"rid": RID}, None),
        ("rid: two\nlines", "two"),
        ("rid: " + "a" * 1000, "a" * 64),
    ],
)
def test_rid_is_found_at_every_known_ending(errmsg: object, rid: str | None) -> None:
    assert find_rid(Answer({"errcode": 40029, "errmsg": errmsg})) == rid


@pytest.mark.static
def test_address_in_errmsg_does_not_get_out() -> None:
    answer = {"errcode": 40164, "errmsg": f"invalid ip 203.0.113.9, not in whitelist, rid: {RID}"}

    error = refusal(STABLE_TOKEN, Answer(answer))

    assert "203.0.113.9" not in f"{error!r} {error} {vars(error)}"
    assert error.rid == RID
