"""The /_sim/ routes: the phone for a page in a browser, the controls for another process."""

from pathlib import Path

import pytest
import requests

from tests.simulator.conftest import (
    APP,
    CHECK,
    CODE2SESSION,
    ENCRYPT_KEY,
    PAID,
    SIBLING,
    STABLE_TOKEN,
    TOKEN,
    UNBOUND,
    WEBSITE,
)
from wxauth.crypto import decrypt_open_data
from wxauth.simulator import SimulatedApp
from wxauth.simulator.phone import ROUTES

pytestmark = pytest.mark.static

ROOT = Path(__file__).resolve().parents[2]
ALICE = {"user": "alice", "appid": APP.app_id}


@pytest.fixture
def ask(sim):
    """Return a function that asks a /_sim/ route and gives its JSON, with the status if not 200."""

    def ask(name, **params):
        response = requests.get(f"{sim.base_url}/_sim/{name}", params=params, timeout=5)
        assert response.headers["Content-Type"] == "application/json"
        data = response.json()
        return data if response.status_code == 200 else (response.status_code, data["error"])

    return ask


def test_login_gives_a_code(sim, server, ask):
    answer = ask("login", **ALICE)

    assert list(answer) == ["code"]
    assert server.exchange(answer["code"])["openid"] == sim.openid("alice", APP.app_id)


def test_phone_gives_a_code_and_data(sim, server, ask):
    answer = ask("phone", **ALICE)

    assert sorted(answer) == ["code", "encryptedData", "iv", "purePhoneNumber"]
    info = server.phone_number(answer["code"])["phone_info"]
    assert info["purePhoneNumber"] == answer["purePhoneNumber"]


@pytest.mark.parametrize(
    ("params", "has_openid"),
    [
        ({}, True),
        ({"api": "getUserInfo"}, True),
        ({"api": "getUserProfile"}, False),
        ({"api": "getUserProfile", "with_openid": "1"}, True),
        ({"with_openid": "0"}, False),
    ],
)
def test_userinfo_gives_signed_data(sim, ask, params, has_openid):
    answer = ask("userinfo", **ALICE, **params)
    key = ask("session_key", **ALICE)["session_key"]

    assert sorted(answer) == ["encryptedData", "iv", "rawData", "signature"]
    data = decrypt_open_data(
        answer["encryptedData"], answer["iv"], session_key=key, app_id=APP.app_id
    )
    assert ("openId" in data) is has_openid


def test_person_is_shown_and_set(sim, ask):
    shown = ask(
        "user",
        user="小明",
        nickname="小明🙂",
        phone_number="51234567",
        country_code="852",
        gender="1",
        blocked="1",
        unionid_hidden="1",
    )

    person = sim.user("小明")
    assert (person.nickname, person.phone_number, person.country_code) == (
        "小明🙂",
        "51234567",
        "852",
    )
    assert (person.gender, person.blocked, person.unionid_hidden) == (1, True, True)
    assert shown["nickname"] == "小明🙂"
    assert shown["openids"][APP.app_id] == sim.openid("小明", APP.app_id)
    assert shown["unionids"] == {"main": sim.unionid("小明", "main")}
    assert ask("user", user="小明") == shown


def test_unionid_is_hidden_from_some_apps(sim, ask):
    hidden = f"{SIBLING.app_id},{APP.app_id}"
    assert ask("user", user="alice", unionid_hidden=hidden)["unionid_hidden"] == [
        APP.app_id,
        SIBLING.app_id,
    ]
    assert sim.user("alice").hides_unionid_from(APP.app_id)

    assert ask("user", user="alice", unionid_hidden="0")["unionid_hidden"] is False


def test_apps_are_listed_without_secrets(ask):
    apps = ask("apps")["apps"]

    assert apps[0] == {"appid": APP.app_id, "kind": "mini_program", "union_scope": "main"}
    assert [app["appid"] for app in apps] == [
        app.app_id for app in (APP, SIBLING, UNBOUND, WEBSITE)
    ]


def test_faults_are_ordered_and_cleared(server, ask):
    ask("fail", path=CODE2SESSION, errcode="-1")
    ask("fail", path=CODE2SESSION, fault="errcode_as_string", times="2")
    errcodes = [server.exchange("unknown")["errcode"] for _ in range(4)]
    assert errcodes == [-1, "40029", "40029", 40029]

    ask("fail", path=CODE2SESSION, errcode="45011", errmsg="slower", times="forever", delay="0")
    assert server.exchange("unknown")["errmsg"].startswith("slower")
    ask("clear_faults")
    assert server.exchange("unknown")["errcode"] == 40029


def test_clock_is_advanced(sim, ask):
    before = sim.now()

    assert ask("advance", seconds="90.5") == {"now": before + 90.5}
    assert sim.now() == before + 90.5


def test_rotation_is_shown_and_set(sim, ask):
    assert ask("rotation") == {"mode": "always"}
    assert ask("rotation", mode="never") == {"mode": "never"}
    assert sim.session_key_rotation == "never"


def test_quirks_are_shown_and_set(sim, ask):
    assert ask("quirks", names="emoji,errcode_zero") == {"names": ["emoji", "errcode_zero"]}
    assert sim.quirks == {"emoji", "errcode_zero"}
    assert ask("quirks") == {"names": ["emoji", "errcode_zero"]}
    assert ask("quirks", names="") == {"names": []}


def test_limits_are_set(server, ask):
    ask("limit", path=TOKEN, per_minute="1")

    assert [server.token().get("errcode", 0) for _ in range(2)] == [0, 45011]


def test_addresses_are_set(server, ask):
    ask("addresses", appid=APP.app_id, allowed="192.0.2.1,192.0.2.2")
    assert server.token()["errcode"] == 40164

    ask("addresses", appid=APP.app_id)
    assert "access_token" in server.token()


def test_access_tokens_are_revoked(server, ask):
    token = server.stable_token()["access_token"]
    ask("revoke_access_tokens", appid=APP.app_id)

    assert server.get(CHECK, access_token=token)["errcode"] == 40001


def test_platform_gets_a_token(sim, server, ask):
    token = ask("component", component_appid="wxplatform", appids=APP.app_id)
    answer = server.get(
        "/sns/component/jscode2session",
        appid=APP.app_id,
        js_code=sim.login("alice", APP.app_id),
        grant_type="authorization_code",
        component_appid="wxplatform",
        **token,
    )

    assert "openid" in answer


def test_payment_opens_the_unionid(sim, server, ask):
    answer = server.get(
        PAID,
        access_token=sim.access_token(APP.app_id),
        openid=sim.openid("alice", APP.app_id),
        transaction_id=ask("pay", **ALICE)["transaction_id"],
    )

    assert answer["unionid"] == sim.unionid("alice", "main")


def test_encrypt_key_is_the_latest(sim, server, ask):
    key = ask("encrypt_key", **ALICE)
    listed = server.signed(ENCRYPT_KEY, sim.session_key("alice", APP.app_id))["key_info_list"]

    assert key["encryptKey"] == listed[0]["encrypt_key"]


def test_session_key_expires(sim, server, ask):
    key = ask("session_key", **ALICE)["session_key"]
    ask("expire_session_key", **ALICE)

    assert server.signed(CHECK, key)["errcode"] == 87007


def test_stats_count_calls_and_connections(sim, server, ask):
    server.exchange("unknown")
    server.exchange("unknown")
    server.token()

    assert ask("stats") == {
        "connections": 1,
        "calls": {CODE2SESSION: 2, TOKEN: 1},
        "now": sim.now(),
    }


def test_requests_are_listed_without_secrets(sim, server, ask):
    server.exchange("unknown")
    server.stable_token()
    server.http.post(
        sim.base_url + STABLE_TOKEN, data={"appid": "x", "secret": APP.app_secret}, timeout=5
    )
    server.http.post(sim.base_url + STABLE_TOKEN, json=[1], timeout=5)
    listed = ask("requests")["requests"]

    assert APP.app_secret not in str(listed)
    assert listed[0]["query"]["js_code"] == "unknown"
    assert listed[0]["query"]["secret"] == "***"
    assert listed[0]["errcode"] == 40029
    assert [call["body"] for call in listed[1:]] == [
        {"grant_type": "client_credential", "appid": APP.app_id, "secret": "***"},
        "appid=x&secret=%2A%2A%2A",
        None,
    ]
    assert ask("requests", path=CODE2SESSION)["requests"] == listed[:1]


def test_reset_forgets_all_but_the_apps(sim, server, ask):
    code = sim.login("alice", APP.app_id)
    sim.user("alice").nickname = "Alice"
    sim.advance(100)
    sim.quirks = {"emoji"}
    now = sim.now()
    ask("reset")

    assert server.exchange(code)["errcode"] == 40029
    assert sim.user("alice").nickname is None
    assert sim.now() == now - 100
    assert sim.quirks == frozenset()
    assert sim.apps[0] == APP


@pytest.mark.parametrize(
    ("name", "params", "error"),
    [
        ("login", {"user": "alice", "appid": "wxunknown"}, "no app 'wxunknown'"),
        ("login", {"user": "alice", "appid": WEBSITE.app_id}, "no mini program"),
        ("login", {"appid": APP.app_id}, "missing: user"),
        ("login", {"user": "", "appid": ""}, "missing: user, appid"),
        ("login", {"user": "a" * 201, "appid": APP.app_id}, "1 to 200"),
        ("login", {**ALICE, "app": "x"}, "unknown: app"),
        ("userinfo", {**ALICE, "api": "nonsense"}, "no api"),
        ("userinfo", {**ALICE, "with_openid": "yes"}, "0 or 1"),
        ("phone", {"user": "alice", "appid": "wxunknown"}, "no app"),
        ("user", {"user": "alice", "phone_number": "+86 138"}, "digits"),
        ("user", {"user": "alice", "country_code": "８６"}, "digits"),
        ("user", {"user": "alice", "blocked": "maybe"}, "0 or 1"),
        ("user", {"user": "alice", "gender": "x"}, "a number"),
        ("fail", {"path": "/nowhere", "errcode": "-1"}, "no path"),
        ("fail", {"path": TOKEN, "errcode": "x"}, "a number"),
        ("fail", {"path": TOKEN, "errcode": "nan"}, "a number"),
        ("fail", {"path": TOKEN, "errcode": "1e300"}, "a number"),
        ("fail", {"path": TOKEN, "fault": "x"}, "no fault"),
        ("fail", {"path": TOKEN, "times": "0", "errcode": "-1"}, "at least 1"),
        ("advance", {"seconds": "inf"}, "a number"),
        ("advance", {}, "missing: seconds"),
        ("rotation", {"mode": "x"}, "no rotation"),
        ("quirks", {"names": "x"}, "no quirk"),
        ("limit", {"path": TOKEN, "per_day": "x"}, "a number"),
        ("component", {"component_appid": "x", "appids": "y"}, "no app"),
        ("subscribe", ALICE, "no official account"),
        ("subscribe", {**ALICE, "subscribed": "x"}, "0 or 1"),
        ("nothing", {}, "there are: /_sim/login"),
        ("", {}, "there are: /_sim/login"),
    ],
)
def test_bad_input_is_an_error_in_json(ask, name, params, error):
    status, text = ask(name, **params)

    assert status == 400
    assert error in text


def test_web_is_played_over_http(ask, sim):
    app = SimulatedApp("wx00000000000000e1", "secret-of-e1", "official_account", "main")
    before = sim.apps
    sim.use_apps([*before, app])
    try:
        assert ask("subscribe", user="alice", appid=app.app_id) == {}
        assert set(sim.world.following) == {("alice", app.app_id)}
        assert ask("subscribe", user="alice", appid=app.app_id, subscribed=0) == {}
        assert sim.world.following == {}
    finally:
        sim.use_apps(before)
    ask("desktop", user="alice")
    assert sim.world.desktop == "alice"
    ask("desktop")
    assert sim.world.desktop is None
    old = sim.world.avatars.path("alice")
    ask("change_avatar", user="alice")
    assert sim.world.avatars.path("alice") != old


def test_each_route_is_documented():
    text = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")

    assert [name for name in ROUTES if f"`/_sim/{name}" not in text] == []
