"""Each call of a sign-in: what is sent, what comes back, and what of it is believed."""

import time
from collections.abc import Callable

import pytest

from wxauth.conf import WechatApp
from wxauth.exceptions import (
    WechatCodeInvalid,
    WechatDataInvalid,
    WechatError,
    WechatPhoneCodeInvalid,
    WechatRateLimited,
    WechatSessionStale,
    WechatUserBlocked,
)
from wxauth.simulator import WechatSimulator
from wxauth.wechat import client
from wxauth.wechat.errcodes import CHECK_SESSION, CODE_TO_SESSION, PHONE_NUMBER, RESET_SESSION_KEY
from wxauth.wechat.types import CodeSession

AnswerWith = Callable[..., None]

KEY = "gqi+ECTGh+q18yn5whIQJw=="
ODD_CODES = ["", " ", "a b", "a\x00", "é", "\ud800", "小明", "a" * 513, "a\n"]


# code_to_session


def test_login_code_becomes_who_it_is(app: WechatApp, wechat_simulator: WechatSimulator) -> None:
    code = wechat_simulator.login("ann", app.app_id)

    session = client.code_to_session(app, login_code=code)

    assert session == CodeSession(
        openid=wechat_simulator.openid("ann", app.app_id),
        unionid=wechat_simulator.unionid("ann", app.union_scope),
        session_key=wechat_simulator.session_key("ann", app.app_id),
    )
    (call,) = wechat_simulator.requests  # no access_token is fetched: nobody needs it
    assert call.method == "GET"
    assert call.query == {
        "appid": app.app_id,
        "secret": app.app_secret,
        "js_code": code,
        "grant_type": "authorization_code",
    }


def test_each_app_has_its_own_openid_for_a_person(
    app: WechatApp, other_app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    one, two = (
        client.code_to_session(a, login_code=wechat_simulator.login("ann", a.app_id))
        for a in (app, other_app)
    )

    assert one.openid != two.openid
    assert one.unionid == two.unionid


def test_used_login_code_is_invalid(app: WechatApp, wechat_simulator: WechatSimulator) -> None:
    code = wechat_simulator.login("ann", app.app_id)
    client.code_to_session(app, login_code=code)

    with pytest.raises(WechatCodeInvalid) as caught:
        client.code_to_session(app, login_code=code)

    assert caught.value.errcode == 40163


def test_login_code_of_another_app_is_invalid(
    app: WechatApp, other_app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    with pytest.raises(WechatCodeInvalid):
        client.code_to_session(app, login_code=wechat_simulator.login("ann", other_app.app_id))


def test_expired_login_code_is_invalid(app: WechatApp, wechat_simulator: WechatSimulator) -> None:
    code = wechat_simulator.login("ann", app.app_id)
    wechat_simulator.advance(301)

    with pytest.raises(WechatCodeInvalid):
        client.code_to_session(app, login_code=code)


def test_phone_code_is_no_login_code(app: WechatApp, wechat_simulator: WechatSimulator) -> None:
    with pytest.raises(WechatCodeInvalid):
        client.code_to_session(app, login_code=wechat_simulator.phone("ann", app.app_id)["code"])


@pytest.mark.parametrize("code", ODD_CODES, ids=repr)
def test_what_cannot_be_a_login_code_is_not_sent(
    code: str, app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    with pytest.raises(WechatCodeInvalid):
        client.code_to_session(app, login_code=code)

    assert wechat_simulator.requests == []


def test_blocked_person_is_blocked(app: WechatApp, wechat_simulator: WechatSimulator) -> None:
    code = wechat_simulator.login("ann", app.app_id)
    wechat_simulator.user("ann").blocked = True

    with pytest.raises(WechatUserBlocked):
        client.code_to_session(app, login_code=code)


@pytest.mark.parametrize(
    "quirk",
    [
        "errcode_zero",
        "unknown_fields",
        "errcode_as_string",
        "escaped_slashes",
        "other_content_type",
    ],
)
def test_oddly_written_success_is_a_success(
    quirk: str, app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    wechat_simulator.fail(CODE_TO_SESSION, fault=quirk)

    session = client.code_to_session(app, login_code=wechat_simulator.login("ann", app.app_id))

    assert session.openid == wechat_simulator.openid("ann", app.app_id)


def test_missing_unionid_is_none(app: WechatApp, wechat_simulator: WechatSimulator) -> None:
    wechat_simulator.fail(CODE_TO_SESSION, fault="missing_unionid")

    session = client.code_to_session(app, login_code=wechat_simulator.login("ann", app.app_id))

    assert session.unionid is None


# Incident 11: an id that is none becomes one account for everybody
NOBODY = ["", "null", "None", "undefined", "NULL", None]
RUBBISH = [0, 1, True, [], {}, "a b", "é", "a" * 129, "a\x00", "\ud800", "a\n"]


@pytest.mark.parametrize("openid", [*NOBODY, *RUBBISH], ids=repr)
def test_openid_that_is_none_is_refused(
    openid: object, app: WechatApp, answer_with: AnswerWith
) -> None:
    answer_with({"openid": openid, "session_key": KEY})
    with pytest.raises(WechatError) as caught:
        client.code_to_session(app, login_code="code")

    assert type(caught.value) is WechatError


@pytest.mark.parametrize("unionid", NOBODY, ids=repr)
def test_unionid_that_is_none_is_none(
    unionid: object, app: WechatApp, answer_with: AnswerWith
) -> None:
    answer_with({"openid": "o1", "session_key": KEY, "unionid": unionid})
    assert client.code_to_session(app, login_code="code").unionid is None


@pytest.mark.parametrize("unionid", RUBBISH, ids=repr)
def test_unionid_that_is_rubbish_is_refused(
    unionid: object, app: WechatApp, answer_with: AnswerWith
) -> None:
    """Without it the person would be taken for somebody new."""
    answer_with({"openid": "o1", "session_key": KEY, "unionid": unionid})
    with pytest.raises(WechatError):
        client.code_to_session(app, login_code="code")


@pytest.mark.parametrize(
    "session_key",
    [None, "", "short", KEY[:-2], KEY + "AAAA", "*" * 24, 1, [], {}, "é", KEY.replace("+", " ")],
    ids=repr,
)
def test_session_key_that_is_none_is_refused(
    session_key: object, app: WechatApp, answer_with: AnswerWith
) -> None:
    answer_with({"openid": "o1", "session_key": session_key})
    with pytest.raises(WechatError):
        client.code_to_session(app, login_code="code")


@pytest.mark.parametrize("answer", [{}, {"errcode": 0}, {"errcode": 0, "openid": "o1"}])
def test_success_without_its_fields_is_refused(
    answer: dict[str, object], app: WechatApp, answer_with: AnswerWith
) -> None:
    answer_with(answer)
    with pytest.raises(WechatError):
        client.code_to_session(app, login_code="code")


def test_longest_ids_are_taken_with_their_case(app: WechatApp, answer_with: AnswerWith) -> None:
    openid = "oAb_-" + "x" * 123
    answer_with({"openid": openid, "session_key": KEY, "unionid": openid.upper()})
    session = client.code_to_session(app, login_code="code")

    assert (session.openid, session.unionid) == (openid, openid.upper())


# phone_number


def test_phone_code_becomes_the_number(app: WechatApp, wechat_simulator: WechatSimulator) -> None:
    code = wechat_simulator.phone("ann", app.app_id)["code"]
    openid = wechat_simulator.openid("ann", app.app_id)

    info = client.phone_number(app, phone_code=code, openid=openid)

    person = wechat_simulator.user("ann")
    assert (info.pure_number, info.country_code) == (person.phone_number, person.country_code)
    assert abs(info.issued_at.timestamp() - time.time()) < 60
    assert info.issued_at.tzinfo is not None
    (call,) = wechat_simulator.calls(PHONE_NUMBER)
    assert call.method == "POST"
    assert call.json() == {"code": code, "openid": openid}
    assert list(call.query) == ["access_token"]


def test_openid_is_left_out_when_unknown(app: WechatApp, wechat_simulator: WechatSimulator) -> None:
    code = wechat_simulator.phone("ann", app.app_id)["code"]

    client.phone_number(app, phone_code=code)

    assert wechat_simulator.calls(PHONE_NUMBER)[0].json() == {"code": code}


def test_phone_code_of_another_person_is_invalid(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    code = wechat_simulator.phone("ann", app.app_id)["code"]
    openid = wechat_simulator.openid("bob", app.app_id)

    with pytest.raises(WechatPhoneCodeInvalid):
        client.phone_number(app, phone_code=code, openid=openid)


def test_phone_code_of_another_app_is_invalid(
    app: WechatApp, other_app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    code = wechat_simulator.phone("ann", other_app.app_id)["code"]

    with pytest.raises(WechatPhoneCodeInvalid) as caught:
        client.phone_number(app, phone_code=code)

    assert caught.value.errcode == 40013


def test_used_phone_code_is_invalid(app: WechatApp, wechat_simulator: WechatSimulator) -> None:
    code = wechat_simulator.phone("ann", app.app_id)["code"]
    client.phone_number(app, phone_code=code)

    with pytest.raises(WechatPhoneCodeInvalid):
        client.phone_number(app, phone_code=code)


def test_login_code_is_no_phone_code(app: WechatApp, wechat_simulator: WechatSimulator) -> None:
    with pytest.raises(WechatPhoneCodeInvalid):
        client.phone_number(app, phone_code=wechat_simulator.login("ann", app.app_id))


@pytest.mark.parametrize("code", ODD_CODES, ids=repr)
def test_what_cannot_be_a_phone_code_is_not_sent(
    code: str, app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    with pytest.raises(WechatPhoneCodeInvalid):
        client.phone_number(app, phone_code=code)

    assert wechat_simulator.requests == []


def test_country_code_may_be_a_number(app: WechatApp, wechat_simulator: WechatSimulator) -> None:
    wechat_simulator.fail(PHONE_NUMBER, fault="country_code_number")

    info = client.phone_number(app, phone_code=wechat_simulator.phone("ann", app.app_id)["code"])

    assert info.country_code == wechat_simulator.user("ann").country_code


def test_watermark_of_ten_minutes_ago_is_too_old(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    wechat_simulator.advance(-601)

    with pytest.raises(WechatPhoneCodeInvalid):
        client.phone_number(app, phone_code=wechat_simulator.phone("ann", app.app_id)["code"])


def test_watermark_ahead_of_our_clock_is_taken(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    wechat_simulator.advance(3600)

    assert client.phone_number(app, phone_code=wechat_simulator.phone("ann", app.app_id)["code"])


def phone_answer(app: WechatApp, **changes: object) -> dict[str, object]:
    watermark = {"timestamp": int(time.time()), "appid": app.app_id}
    info = {"purePhoneNumber": "13800138000", "countryCode": "86", "watermark": watermark}
    return {"errcode": 0, "phone_info": {**info, **changes}}


TOKEN = {"access_token": "token", "expires_in": 7200}


@pytest.mark.parametrize("country_code", ["+86", "86", 86], ids=repr)
def test_country_code_is_its_digits(
    country_code: object, app: WechatApp, answer_with: AnswerWith
) -> None:
    answer_with(TOKEN, phone_answer(app, countryCode=country_code))
    assert client.phone_number(app, phone_code="code").country_code == "86"


def test_watermark_of_another_app_is_data_invalid(
    app: WechatApp, other_app: WechatApp, answer_with: AnswerWith
) -> None:
    watermark = {"timestamp": int(time.time()), "appid": other_app.app_id}
    answer_with(TOKEN, phone_answer(app, watermark=watermark))
    with pytest.raises(WechatDataInvalid):
        client.phone_number(app, phone_code="code")


@pytest.mark.parametrize(
    "change",
    [
        *[{"watermark": watermark} for watermark in (None, [], "x", 1)],
        *[{"purePhoneNumber": number} for number in (None, 13800138000, "", "1", "abc", "1" * 21)],
        *[
            {"purePhoneNumber": number}
            for number in ("１３８００１３８０００", "138\n", "+8613800138000")
        ],
        *[{"countryCode": code} for code in (None, "", "CN", "086", 0, True, 1.5, [], "12345")],
    ],
    ids=repr,
)
def test_phone_info_that_is_none_is_refused(
    change: dict[str, object], app: WechatApp, answer_with: AnswerWith
) -> None:
    answer_with(TOKEN, phone_answer(app, **change))
    with pytest.raises(WechatError) as caught:
        client.phone_number(app, phone_code="code")

    assert type(caught.value) is WechatError
    assert "138" not in str(caught.value)


@pytest.mark.parametrize(
    "timestamp", [None, "x", [], {}, 1e300, "9" * 5000], ids=lambda t: str(t)[:9]
)
def test_watermark_without_a_time_is_refused(
    timestamp: object, app: WechatApp, answer_with: AnswerWith
) -> None:
    watermark = {"timestamp": timestamp, "appid": app.app_id}
    answer_with(TOKEN, phone_answer(app, watermark=watermark))
    with pytest.raises(WechatError) as caught:
        client.phone_number(app, phone_code="code")

    assert type(caught.value) is WechatError


@pytest.mark.parametrize("answer", [{}, {"errcode": 0}, {"phone_info": None}, {"phone_info": []}])
def test_phone_answer_without_phone_info_is_refused(
    answer: dict[str, object], app: WechatApp, answer_with: AnswerWith
) -> None:
    answer_with(TOKEN, answer)
    with pytest.raises(WechatError):
        client.phone_number(app, phone_code="code")


# check_session_key, reset_session_key


@pytest.fixture
def session(app: WechatApp, wechat_simulator: WechatSimulator) -> CodeSession:
    """Ann, signed in."""
    return client.code_to_session(app, login_code=wechat_simulator.login("ann", app.app_id))


def test_current_session_key_is_confirmed(
    app: WechatApp, session: CodeSession, wechat_simulator: WechatSimulator
) -> None:
    assert (
        client.check_session_key(app, openid=session.openid, session_key=session.session_key)
        is True
    )

    (call,) = wechat_simulator.calls(CHECK_SESSION)
    assert call.method == "GET"
    assert sorted(call.query) == ["access_token", "openid", "sig_method", "signature"]
    assert session.session_key not in call.query.values()


def test_replaced_session_key_is_not_confirmed(
    app: WechatApp, session: CodeSession, wechat_simulator: WechatSimulator
) -> None:
    wechat_simulator.session_key_rotation = "always"
    wechat_simulator.login("ann", app.app_id)

    assert (
        client.check_session_key(app, openid=session.openid, session_key=session.session_key)
        is False
    )


def test_session_key_that_is_gone_is_not_confirmed(
    app: WechatApp, session: CodeSession, wechat_simulator: WechatSimulator
) -> None:
    wechat_simulator.expire_session_key("ann", app.app_id)

    assert (
        client.check_session_key(app, openid=session.openid, session_key=session.session_key)
        is False
    )


def test_session_key_can_be_replaced(
    app: WechatApp, session: CodeSession, wechat_simulator: WechatSimulator
) -> None:
    new = client.reset_session_key(app, openid=session.openid, session_key=session.session_key)

    assert new.openid == session.openid
    assert new.session_key == wechat_simulator.session_key("ann", app.app_id)
    assert new.session_key != session.session_key


def test_replaced_session_key_cannot_be_replaced_again(
    app: WechatApp, session: CodeSession, wechat_simulator: WechatSimulator
) -> None:
    client.reset_session_key(app, openid=session.openid, session_key=session.session_key)

    with pytest.raises(WechatSessionStale):
        client.reset_session_key(app, openid=session.openid, session_key=session.session_key)


def test_session_key_replaced_too_often_is_rate_limited(
    app: WechatApp, session: CodeSession, wechat_simulator: WechatSimulator
) -> None:
    wechat_simulator.fail(RESET_SESSION_KEY, errcode=45011)

    with pytest.raises(WechatRateLimited) as caught:
        client.reset_session_key(app, openid=session.openid, session_key=session.session_key)

    assert caught.value.retry_after == 60


def test_new_session_key_of_another_person_is_refused(
    app: WechatApp, answer_with: AnswerWith
) -> None:
    answer_with(TOKEN, {"errcode": 0, "openid": "o2", "session_key": KEY})
    with pytest.raises(WechatError):
        client.reset_session_key(app, openid="o1", session_key=KEY)


@pytest.mark.parametrize("call", [client.check_session_key, client.reset_session_key])
def test_lost_answer_about_a_session_key_is_asked_for_again_only_where_that_is_safe(
    call: Callable[..., object],
    app: WechatApp,
    session: CodeSession,
    wechat_simulator: WechatSimulator,
) -> None:
    is_safe = call is client.check_session_key
    path = CHECK_SESSION if is_safe else RESET_SESSION_KEY
    wechat_simulator.fail(path, fault="reset_after_processing")
    try:
        call(app, openid=session.openid, session_key=session.session_key)
    except WechatError:
        assert not is_safe

    assert len(wechat_simulator.calls(path)) == (2 if is_safe else 1)
