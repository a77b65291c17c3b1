"""code2Session, for an app with its secret and for a third-party platform."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.simulator.conftest import APP, CODE2SESSION, SIBLING, UNBOUND, WEBSITE
from wxauth.simulator import SimulatorError, codes

pytestmark = pytest.mark.static

COMPONENT = "/sns/component/jscode2session"
PLATFORM = "wx00000000000000ff"


def test_success_has_the_identity_and_no_errcode(sim, server):
    answer = server.exchange(sim.login("alice", APP.app_id))

    assert answer == {
        "openid": sim.openid("alice", APP.app_id),
        "session_key": sim.session_key("alice", APP.app_id),
        "unionid": sim.unionid("alice", "main"),
    }


def test_used_code_is_refused(sim, server):
    code = sim.login("alice", APP.app_id)
    server.exchange(code)

    answer = server.exchange(code)

    assert answer["errcode"] == 40163
    assert re.fullmatch(r"code been used, rid: [0-9a-f]{8}(-[0-9a-f]{8}){2}", answer["errmsg"])


def test_unknown_code_is_refused(server):
    assert server.exchange("0123456789")["errcode"] == 40029


def test_oldest_code_is_forgotten_when_there_are_too_many(sim, server, monkeypatch):
    monkeypatch.setattr(codes, "KEPT", 2)
    first, second, third = (sim.login("alice", APP.app_id) for _ in range(3))

    assert server.exchange(first)["errcode"] == 40029
    assert "openid" in server.exchange(second)
    assert "openid" in server.exchange(third)


def test_code_of_another_app_is_refused_and_stays_good(sim, server):
    code = sim.login("alice", APP.app_id)

    assert server.exchange(code, SIBLING)["errcode"] == 40029
    assert "openid" in server.exchange(code)


def test_phone_code_is_no_login_code(sim, server):
    assert server.exchange(sim.phone("alice", APP.app_id)["code"])["errcode"] == 40029


def test_code_lives_five_minutes(sim, server):
    early, late = sim.login("alice", APP.app_id), sim.login("alice", APP.app_id)

    sim.advance(299)
    assert "openid" in server.exchange(early)

    sim.advance(1)
    assert server.exchange(late)["errcode"] == 40029


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"appid": "", "secret": "wrong"}, 41002),
        ({"appid": "wxunknown", "secret": ""}, 40013),
        ({"secret": "", "grant_type": "wrong"}, 41004),
        ({"secret": "wrong", "grant_type": "wrong"}, 40125),
        ({"grant_type": "wrong", "js_code": ""}, 40002),
        ({"grant_type": None}, 40002),
        ({"js_code": ""}, 41008),
        ({"js_code": None}, 41008),
    ],
)
def test_parameters_are_checked_in_wechats_order(sim, server, changes, errcode):
    assert server.exchange(sim.login("alice", APP.app_id), **changes)["errcode"] == errcode


def test_website_has_no_login_codes(sim, server):
    with pytest.raises(SimulatorError, match="no mini program"):
        sim.login("alice", WEBSITE.app_id)
    assert server.exchange(sim.login("alice", APP.app_id), WEBSITE)["errcode"] == 40029


def test_post_is_refused(sim, server):
    assert server.post(CODE2SESSION, {})["errcode"] == 43001


def test_blocked_person_is_refused_after_a_used_code(sim, server):
    used = sim.login("alice", APP.app_id)
    server.exchange(used)
    sim.user("alice").blocked = True

    assert server.exchange(used)["errcode"] == 40163
    assert server.exchange(sim.login("alice", APP.app_id))["errcode"] == 40226


def test_app_bound_to_no_scope_gets_no_unionid(sim, server):
    answer = server.exchange(sim.login("alice", UNBOUND.app_id), UNBOUND)

    assert sorted(answer) == ["openid", "session_key"]


@pytest.mark.parametrize("hidden", [True, {APP.app_id}])
def test_unionid_appears_later(sim, server, hidden):
    sim.user("alice").unionid_hidden = hidden
    assert "unionid" not in server.exchange(sim.login("alice", APP.app_id))

    sim.user("alice").unionid_hidden = False
    assert "unionid" in server.exchange(sim.login("alice", APP.app_id))


def test_unionid_hidden_from_one_app_is_shown_to_the_other(sim, server):
    sim.user("alice").unionid_hidden = {SIBLING.app_id}

    assert "unionid" in server.exchange(sim.login("alice", APP.app_id))
    assert "unionid" not in server.exchange(sim.login("alice", SIBLING.app_id), SIBLING)


def test_person_has_an_openid_per_app_and_one_unionid(sim, server):
    one = server.exchange(sim.login("alice", APP.app_id))
    two = server.exchange(sim.login("alice", SIBLING.app_id), SIBLING)

    assert one["openid"] != two["openid"]
    assert one["unionid"] == two["unionid"]


def test_hundred_calls_a_minute_for_one_person(sim, server):
    for _ in range(100):
        assert "openid" in server.exchange(sim.login("alice", APP.app_id))
    code = sim.login("alice", APP.app_id)

    assert server.exchange(code)["errcode"] == 45011
    assert "openid" in server.exchange(sim.login("bob", APP.app_id)), "another person may"
    sim.advance(60)
    assert "openid" in server.exchange(code), "the refusal has not spent the code"


def test_one_code_of_32_parallel_exchanges_is_spent_once(sim):
    code = sim.login("alice", APP.app_id)
    query = {"appid": APP.app_id, "secret": APP.app_secret, "js_code": code}
    query["grant_type"] = "authorization_code"

    def exchange(_):
        url = sim.base_url + CODE2SESSION
        return requests.get(url, params=query, timeout=10).json().get("errcode", 0)

    with ThreadPoolExecutor(32) as pool:
        errcodes = sorted(pool.map(exchange, range(32)))

    assert errcodes == [0] + [40163] * 31
    assert sim.connections == 32


@pytest.fixture
def platform_exchange(sim, server):
    """Return a function that exchanges a new code as a third-party platform does."""
    token = sim.component_access_token(PLATFORM, [APP.app_id])

    def exchange(**changes):
        query = {
            "appid": APP.app_id,
            "js_code": sim.login("alice", APP.app_id),
            "grant_type": "authorization_code",
            "component_appid": PLATFORM,
            "component_access_token": token,
        }
        return server.get(COMPONENT, **(query | changes))

    return exchange


def test_platform_exchanges_a_code_without_the_secret(sim, platform_exchange):
    assert platform_exchange()["openid"] == sim.openid("alice", APP.app_id)


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"appid": ""}, 41002),
        ({"appid": "wxunknown"}, 40013),
        ({"component_appid": ""}, 41002),
        ({"component_appid": "wxunknown"}, 40013),
        ({"component_access_token": ""}, 41001),
        ({"component_access_token": "unknown"}, 40014),
        ({"appid": SIBLING.app_id}, 61003),
        ({"grant_type": ""}, 40002),
        ({"js_code": ""}, 41008),
        ({"js_code": "unknown"}, 40029),
    ],
)
def test_platform_is_checked(platform_exchange, changes, errcode):
    assert platform_exchange(**changes)["errcode"] == errcode


def test_platform_token_ends(sim, platform_exchange):
    sim.advance(7200)

    assert platform_exchange()["errcode"] == 42001


def test_token_of_another_platform_is_refused(sim, platform_exchange):
    other = sim.component_access_token("wx00000000000000ee", [APP.app_id])

    assert platform_exchange(component_access_token=other)["errcode"] == 40001
