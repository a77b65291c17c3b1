"""Oddities of WeChat's answers, for one call and for all of them."""

import json

import pytest

from tests.simulator.conftest import APP, CHECK, CODE2SESSION, PHONE, STABLE_TOKEN
from wxauth.simulator import SimulatorError
from wxauth.simulator.quirks import Quirk

pytestmark = pytest.mark.static


@pytest.mark.parametrize("once", [True, False])
def test_errcode_can_be_a_string(sim, server, once):
    if once:
        sim.fail(CODE2SESSION, fault="errcode_as_string")
    else:
        sim.quirks = {"errcode_as_string"}

    assert server.exchange("unknown")["errcode"] == "40029"
    assert server.exchange("unknown")["errcode"] == (40029 if once else "40029")


def test_success_can_say_errcode_zero(sim, server):
    sim.quirks = {"errcode_zero"}
    answer = server.exchange(sim.login("alice", APP.app_id))

    assert answer["errcode"] == 0
    assert "openid" in answer
    assert server.exchange("unknown")["errcode"] == 40029


def test_unknown_fields_appear(sim, server):
    sim.quirks = {"unknown_fields"}

    answer = server.exchange(sim.login("alice", APP.app_id))
    assert {"expires_in", "new_field", "openid"} <= set(answer)
    assert server.stable_token()["expires_in"] == 7200


def test_unionid_goes_missing(sim, server):
    sim.quirks = {"missing_unionid"}

    assert "unionid" not in server.exchange(sim.login("alice", APP.app_id))


def test_country_code_can_be_a_number(sim, server):
    sim.quirks = {"country_code_number"}

    info = server.phone_number(sim.phone("alice", APP.app_id)["code"])["phone_info"]
    assert info["countryCode"] == 86


def test_slashes_can_be_escaped(sim, server):
    sim.quirks = {"escaped_slashes"}
    sim.user("alice").avatar_url = "https://example.com/0"
    data = sim.userinfo("alice", APP.app_id)

    assert r"https:\/\/example.com\/0" in data["rawData"]
    assert json.loads(data["rawData"])["avatarUrl"] == "https://example.com/0"


@pytest.mark.parametrize(("quirk", "added"), [("control_character", "\x14"), ("emoji", "🙂")])
def test_nickname_can_hold_odd_characters(sim, quirk, added):
    sim.quirks = {quirk}
    data = sim.userinfo("alice", APP.app_id)

    assert f'"nickName":"微信用户{added}"' in data["rawData"]


@pytest.mark.parametrize(
    ("quirk", "pattern"),
    [("errmsg_hint", " hint: [simulated] rid: "), ("errmsg_req_id", ", hints: [ req_id: ")],
)
def test_errmsg_can_end_otherwise(sim, server, quirk, pattern):
    sim.quirks = {quirk}

    assert f"invalid code{pattern}" in server.exchange("unknown")["errmsg"]


@pytest.mark.parametrize(
    ("path", "usual", "odd"),
    [
        (CODE2SESSION, "text/plain", "application/json; encoding=utf-8"),
        ("/cgi-bin/token", "text/plain", "application/json; encoding=utf-8"),
        (STABLE_TOKEN, "application/json; encoding=utf-8", "text/plain"),
        (PHONE, "application/json; encoding=utf-8", "text/plain"),
        (CHECK, "application/json; encoding=utf-8", "text/plain"),
    ],
)
def test_content_type_varies(sim, server, path, usual, odd):
    def content_type():
        response = server.http.get(sim.base_url + path, timeout=5)
        return response.headers["Content-Type"]

    assert content_type() == usual
    sim.quirks = {"other_content_type"}
    assert content_type() == odd


def test_all_quirks_together_still_sign_in(sim, server):
    sim.quirks = set(Quirk)

    assert server.exchange(sim.login("alice", APP.app_id))["openid"]


def test_unknown_quirk_is_refused(sim):
    with pytest.raises(SimulatorError, match="no quirk nonsense; there are: errcode_as_string"):
        sim.quirks = {"nonsense", "emoji"}
    assert sim.quirks == frozenset()
