"""Quotas by minute and by day."""

import pytest

from tests.simulator.conftest import APP, CHECK, CODE2SESSION, PHONE, SIBLING, TOKEN

pytestmark = pytest.mark.static


def test_minute_quota_ends_with_the_minute(sim, server):
    sim.limit(TOKEN, per_minute=2)

    assert [server.token().get("errcode", 0) for _ in range(3)] == [0, 0, 45011]
    assert "access_token" in server.token(SIBLING), "a quota is the app's"
    sim.advance(60)
    assert "access_token" in server.token()


def test_day_quota_ends_at_midnight_in_beijing(sim, server):
    sim.limit(TOKEN, per_day=1)
    to_midnight = 86_400 - (sim.now() + 8 * 3600) % 86_400
    sim.advance(to_midnight + 3600)

    assert [server.token().get("errcode", 0) for _ in range(2)] == [0, 45009]
    sim.advance(23 * 3600 - 1)
    assert server.token()["errcode"] == 45009, "a second before midnight"
    sim.advance(1)
    assert "access_token" in server.token()


def test_plain_tokens_have_a_day_quota_unless_told_otherwise(sim, server):
    for _ in range(2000):
        sim.world.counters.count(TOKEN, APP.app_id, now=sim.now())
    assert server.token()["errcode"] == 45009

    sim.limit(TOKEN)
    assert "access_token" in server.token()


def test_code2session_has_an_app_wide_minute_quota_too(sim, server):
    sim.limit(CODE2SESSION, per_minute=1)

    assert "openid" in server.exchange(sim.login("alice", APP.app_id))
    assert server.exchange(sim.login("bob", APP.app_id))["errcode"] == 45011


def test_calls_with_an_access_token_can_be_limited(sim, server):
    sim.limit(CHECK, per_minute=1)
    key = sim.session_key("alice", APP.app_id)

    assert [server.signed(CHECK, key)["errcode"] for _ in range(2)] == [0, 45011]


def test_calls_about_one_person_can_be_limited(sim, server):
    sim.limit(PHONE, per_person_minute=1)
    codes = [sim.phone(name, APP.app_id)["code"] for name in ("alice", "alice", "bob")]

    assert [server.phone_number(code)["errcode"] for code in codes] == [0, 45011, 0]


def test_lifted_limits_let_everybody_through(sim, server):
    sim.lift_limits()

    for _ in range(101):
        assert "openid" in server.exchange(sim.login("alice", APP.app_id))


def test_reset_brings_the_limits_back(sim):
    sim.lift_limits()
    sim.reset()

    assert sim.world.counters.limits[CODE2SESSION].per_person_minute == 100
