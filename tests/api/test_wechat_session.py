"""POST check_session and reset_session: WeChat's own session, which is the session_key."""

import logging
from typing import Any

import pytest

from tests.api.answers import check_error, check_refusal, row_counts
from tests.api.test_bind_phone import proof
from tests.api.test_wechat_faults import BLOCKED, BUSY, EVERYWHERE, STALE, TIMEOUT, outcome
from tests.conftest import empty_caches
from tests.phone import Phone
from wxauth import session_keys
from wxauth.conf import WechatApp
from wxauth.models import LoginSession, WechatIdentity
from wxauth.simulator.faults import TransportFault
from wxauth.wechat import exchange
from wxauth.wechat.errcodes import CHECK_SESSION, RESET_SESSION_KEY

ROUTES = {"check_session": CHECK_SESSION, "reset_session": RESET_SESSION_KEY}
each_route = pytest.mark.parametrize("route", ROUTES)
GOOD = {"valid": True, "action": None}
OLD = {"valid": False, "action": "login_again"}


@pytest.fixture(autouse=True)
def _no_waiting(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": None, "person": None}
    monkeypatch.setattr(exchange, "PAUSE", 0)


def kept_key() -> str:
    return session_keys.fetch(LoginSession.objects.get().id)


def test_key_of_the_last_login_is_valid(member: Phone) -> None:
    response = member.post("check_session")
    assert (response.status_code, response.json()) == (200, GOOD)
    assert len(member.simulator.calls(CHECK_SESSION)) == 1


def test_key_that_a_later_login_has_replaced_is_not(member: Phone) -> None:
    member.code()
    assert member.post("check_session").json() == OLD
    member.sign_in("login")
    assert member.post("check_session").json() == GOOD


def test_reset_keeps_the_new_key(member: Phone) -> None:
    before = kept_key()
    old_data = proof(member)
    response = member.post("reset_session")
    assert (response.status_code, response.json()) == (200, GOOD)
    now = member.simulator.session_key(member.name, member.app.app_id)
    assert kept_key() == now != before
    check_refusal(member.post("bind_phone", old_data), 409, "wechat_session_stale")
    assert member.post("bind_phone", proof(member)).status_code == 200
    assert member.post("check_session").json() == GOOD


def test_reset_of_a_key_that_is_not_the_current_one_is_refused(member: Phone) -> None:
    member.code()
    before = kept_key()
    check_refusal(member.post("reset_session"), 409, "wechat_session_stale")
    assert kept_key() == before


def test_reset_whose_answer_is_lost_is_known_by_the_next_check(
    member: Phone, settings: Any
) -> None:
    settings.WXAUTH_TIMEOUTS = (5, 0.2)
    member.post("check_session")  # the access_token is there from now on
    member.simulator.fail(RESET_SESSION_KEY, fault="read_timeout_after_processing")
    check_error(member.post("reset_session"), 504, "wechat_timeout")
    settings.WXAUTH_TIMEOUTS = (5, 5)
    assert len(member.simulator.calls(RESET_SESSION_KEY)) == 1, "not asked twice"
    assert member.post("check_session").json() == OLD


@each_route
def test_lost_cache_is_stale_and_wechat_is_not_asked(member: Phone, route: str) -> None:
    empty_caches()
    body = check_refusal(member.post(route), 409, "wechat_session_stale")
    assert body["action"] == "login_again"
    assert member.simulator.calls(ROUTES[route]) == []


@each_route
def test_session_without_an_identity_is_stale(member: Phone, route: str) -> None:
    WechatIdentity.objects.all().delete()
    check_refusal(member.post(route), 409, "wechat_session_stale")


@each_route
def test_no_session_key_is_ever_answered_or_logged(
    member: Phone, route: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Incident 39."""
    caplog.set_level(logging.DEBUG)
    before = kept_key()
    response = member.post(route)
    for key in (before, kept_key()):
        assert key not in response.content.decode() + caplog.text


@each_route
def test_key_of_another_person_is_never_touched(member: Phone, make_phone: Any, route: str) -> None:
    other = make_phone("carol")
    other.sign_in()
    key = member.simulator.session_key("carol", other.app.app_id)
    member.post(route)
    assert member.simulator.session_key("carol", other.app.app_id) == key
    query = member.simulator.calls(ROUTES[route])[-1].query
    assert query["openid"] == member.openid


@each_route
def test_each_errcode_is_answered_as_the_table_says(member: Phone, route: str) -> None:
    wrong = {}
    refused_tokens = (40001, 40014, 42001)  # after one renewal, of which there is one in a while
    expected = {**EVERYWHERE, **dict.fromkeys(refused_tokens, BUSY), 50002: BLOCKED}
    for errcode, answer in expected.items():
        member.simulator.fail(ROUTES[route], errcode=errcode, times=None)
        member.simulator.advance(31)  # WeChat lets an access_token be forced every 30 seconds
        rows = row_counts()
        response = member.post(route)
        member.simulator.clear_faults()
        assert row_counts() == rows
        if answer == STALE and route == "check_session":
            assert response.json() == OLD
        elif outcome(response) != answer:
            wrong[errcode] = outcome(response)
        elif errcode not in refused_tokens:
            assert response.json()["errcode"] == errcode
    assert not wrong
    assert member.post(route).json() == GOOD


@each_route
@pytest.mark.parametrize("fault", TransportFault)
def test_each_fault_of_the_wire_is_a_503_or_504(
    member: Phone, settings: Any, route: str, fault: TransportFault
) -> None:
    assert member.post("check_session").status_code == 200
    slow = fault in {TransportFault.TIMEOUT, TransportFault.READ_TIMEOUT_AFTER_PROCESSING}
    settings.WXAUTH_TIMEOUTS = (5, 0.1) if slow else (5, 5)
    member.simulator.fail(ROUTES[route], fault=fault, times=None)
    assert outcome(member.post(route)) == (TIMEOUT if slow else BUSY)


@each_route
def test_app_that_is_no_longer_configured_is_unknown(
    member: Phone, settings: Any, route: str
) -> None:
    settings.WXAUTH_APPS = {k: v for k, v in settings.WXAUTH_APPS.items() if k != "default"}
    check_refusal(member.post(route), 400, "unknown_app")


@each_route
def test_second_app_has_a_session_of_its_own(
    member: Phone, make_phone: Any, other_app: WechatApp, route: str
) -> None:
    there = make_phone(member.name, other_app)
    there.sign_in()
    assert there.post(route).json() == GOOD
    query = there.simulator.calls(ROUTES[route])[-1].query
    assert query["openid"] == there.openid
    assert member.post("check_session").json() == GOOD


@each_route
def test_person_is_limited(member: Phone, settings: Any, route: str) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": None, "person": "2/day"}
    assert [member.post(route).status_code for _ in range(3)] == [200, 200, 429]
