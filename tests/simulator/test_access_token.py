"""The two kinds of access_token: their errors, their lives, and that they ignore each other."""

import pytest
import requests

from tests.simulator.conftest import (
    APP,
    CHECK,
    PHONE,
    SIBLING,
    STABLE_TOKEN,
    TOKEN,
    WEBSITE,
    credentials,
)

pytestmark = pytest.mark.static


@pytest.fixture
def errcode_of(server):
    """Return a function that tells how WeChat likes a token; 41009 is "well, and whose?"."""
    return lambda token: server.get(CHECK, access_token=token)["errcode"]


ACCEPTED = 41009


def test_each_call_makes_a_new_token(server, errcode_of):
    first, second = server.token(), server.token()

    assert first["expires_in"] == second["expires_in"] == 7200
    assert first["access_token"] != second["access_token"]
    assert errcode_of(second["access_token"]) == ACCEPTED


def test_replaced_token_works_for_another_five_minutes(sim, server, errcode_of):
    first = server.token()["access_token"]
    second = server.token()["access_token"]

    sim.advance(299)
    assert errcode_of(first) == ACCEPTED
    sim.advance(1)
    assert errcode_of(first) == 40001
    assert errcode_of(second) == ACCEPTED


def test_token_expires_after_two_hours(sim, server, errcode_of):
    token = server.token()["access_token"]

    sim.advance(7199)
    assert errcode_of(token) == ACCEPTED
    sim.advance(1)
    assert errcode_of(token) == 42001


def test_app_of_the_open_platform_has_no_token_of_its_own(server):
    assert server.token(WEBSITE)["errcode"] == 61024
    assert server.stable_token(WEBSITE)["errcode"] == 61024


@pytest.mark.parametrize(("token", "errcode"), [("", 41001), ("made-up", 40014)])
def test_missing_and_unknown_tokens_are_told_apart(errcode_of, token, errcode):
    assert errcode_of(token) == errcode


def test_stable_token_stays_the_same_until_its_last_five_minutes(sim, server):
    first = server.stable_token()
    sim.advance(7200 - 300)
    again = server.stable_token()

    assert again["access_token"] == first["access_token"]
    assert again["expires_in"] == 300


def test_stable_token_overlaps_with_its_successor(sim, server, errcode_of):
    first = server.stable_token()["access_token"]
    sim.advance(7200 - 299)
    second = server.stable_token()

    assert second["access_token"] != first
    assert second["expires_in"] == 7200
    assert errcode_of(first) == errcode_of(second["access_token"]) == ACCEPTED
    sim.advance(299)
    assert errcode_of(first) == 42001


def test_forced_refresh_ends_the_token_at_once(server, errcode_of):
    first = server.stable_token()["access_token"]
    second = server.stable_token(force_refresh=True)["access_token"]

    assert errcode_of(first) == 40001
    assert errcode_of(second) == ACCEPTED
    assert server.stable_token()["access_token"] == second


def test_forced_refresh_within_30_seconds_changes_nothing(sim, server):
    first = server.stable_token(force_refresh=True)["access_token"]

    sim.advance(29)
    assert server.stable_token(force_refresh=True)["access_token"] == first
    sim.advance(1)
    assert server.stable_token(force_refresh=True)["access_token"] != first


def test_twenty_forced_refreshes_a_day(sim, server):
    beijing_midnight = 86_400 - (sim.now() + 8 * 3600) % 86_400
    sim.advance(beijing_midnight)
    for _ in range(20):
        assert "access_token" in server.stable_token(force_refresh=True)
        sim.advance(30)

    assert server.stable_token(force_refresh=True)["errcode"] == 45009
    sim.advance(86_400 - 20 * 30)
    assert "access_token" in server.stable_token(force_refresh=True)


def test_the_kinds_are_isolated(server, errcode_of):
    stable, plain = server.stable_token()["access_token"], server.token()["access_token"]
    server.token()
    server.stable_token(force_refresh=True)

    assert errcode_of(plain) == ACCEPTED
    assert errcode_of(stable) == 40001


def test_apps_have_tokens_of_their_own(server):
    assert server.stable_token(APP) != server.stable_token(SIBLING)


def test_revoked_tokens_are_not_the_latest(sim, server, errcode_of):
    tokens = [server.token()["access_token"], server.stable_token()["access_token"]]
    sim.revoke_access_tokens(APP.app_id)

    assert [errcode_of(token) for token in tokens] == [40001, 40001]
    assert server.stable_token()["access_token"] not in tokens


def test_token_of_an_app_that_is_gone_is_refused(sim, server, errcode_of):
    token, apps = server.token()["access_token"], sim.apps
    sim.use_apps([SIBLING])
    try:
        assert errcode_of(token) == 40001
    finally:
        sim.use_apps(apps)


WRONG = [
    ({"appid": "", "secret": ""}, 41002),
    ({"appid": "wxunknown", "secret": ""}, 40013),
    ({"secret": ""}, 41004),
    ({"secret": "wrong", "grant_type": ""}, 40125),
    ({"grant_type": "authorization_code"}, 40002),
]


@pytest.mark.parametrize(("changes", "errcode"), WRONG)
def test_token_is_only_for_the_app_itself(server, changes, errcode):
    assert server.token(**changes)["errcode"] == errcode


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        *WRONG,
        ({"force_refresh": "true"}, 47001),
        ({"appid": 1}, 47001),
        ({"secret": None}, 47001),
    ],
)
def test_stable_token_is_only_for_the_app_itself(server, changes, errcode):
    assert server.stable_token(**changes)["errcode"] == errcode


def test_verbs_are_not_interchangeable(server):
    assert server.post(TOKEN, {})["errcode"] == 43001
    assert server.get(STABLE_TOKEN, **credentials(APP))["errcode"] == 43002


@pytest.mark.parametrize("path", [STABLE_TOKEN, PHONE])
@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        (b"", 44002),
        (b"appid=wx&secret=x", 47001),
        (b"[]", 47001),
        (b"\xff", 47001),
        (b"[" * 100_000, 47001),
    ],
    ids=["empty", "form", "list", "no text", "deep"],
)
def test_body_has_to_be_a_json_object(sim, path, body, errcode):
    query = {"access_token": sim.access_token(APP.app_id)}
    response = requests.post(sim.base_url + path, params=query, data=body, timeout=5)

    assert response.json()["errcode"] == errcode


@pytest.mark.parametrize("kind", ["token", "stable_token"])
def test_address_outside_the_list_is_refused(sim, server, kind):
    sim.allow_addresses(APP.app_id, ["192.0.2.1"])
    answer = getattr(server, kind)()

    assert answer["errcode"] == 40164
    assert "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist" in answer["errmsg"]
    assert "access_token" in getattr(server, kind)(SIBLING), "each app has its own list"
    sim.allow_addresses(APP.app_id, ["127.0.0.1"])
    assert "access_token" in getattr(server, kind)()
    sim.allow_addresses(APP.app_id, None)
    assert "access_token" in getattr(server, kind)()


def test_address_list_does_not_concern_signing_in(sim, server):
    sim.allow_addresses(APP.app_id, [])

    assert "openid" in server.exchange(sim.login("alice", APP.app_id))
