"""getPaidUnionid: a payment opens the unionid for five minutes."""

import pytest

from tests.simulator.conftest import APP, PAID, SIBLING, UNBOUND

pytestmark = pytest.mark.static


def ask(sim, server, app=APP, user="alice", **query):
    query.setdefault("openid", sim.openid(user, app.app_id))
    return server.get(PAID, access_token=sim.access_token(app.app_id), **query)


def test_payment_tells_the_unionid_by_either_number(sim, server):
    paid = sim.pay("alice", APP.app_id)
    unionid = sim.unionid("alice", "main")

    by_id = ask(sim, server, transaction_id=paid.pop("transaction_id"))
    assert by_id == {"errcode": 0, "errmsg": "ok", "unionid": unionid}
    assert ask(sim, server, **paid)["unionid"] == unionid


def test_payment_is_forgotten_after_five_minutes(sim, server):
    paid = sim.pay("alice", APP.app_id)

    sim.advance(300)
    assert ask(sim, server, **paid)["errcode"] == 0
    sim.advance(1)
    assert ask(sim, server, **paid)["errcode"] == 89300


def test_payment_of_somebody_else_or_elsewhere_is_no_trade(sim, server):
    ours, elsewhere = sim.pay("alice", APP.app_id), sim.pay("alice", SIBLING.app_id)

    assert ask(sim, server, user="bob", **ours)["errcode"] == 89300
    assert ask(sim, server, **elsewhere)["errcode"] == 89300


@pytest.mark.parametrize(
    "query",
    [{}, {"transaction_id": ""}, {"transaction_id": "4200"}, {"mch_id": "1900000000"}],
)
def test_unknown_trade_is_refused(sim, server, query):
    sim.pay("alice", APP.app_id)

    assert ask(sim, server, **query)["errcode"] == 89300


def test_app_bound_to_no_scope_has_no_unionid_to_tell(sim, server):
    paid = sim.pay("alice", UNBOUND.app_id)

    assert ask(sim, server, UNBOUND, **paid)["errcode"] == 89002


@pytest.mark.parametrize(("openid", "errcode"), [("", 41009), ("oUnknown", 40003)])
def test_openid_is_checked(sim, server, openid, errcode):
    assert ask(sim, server, openid=openid)["errcode"] == errcode


def test_access_token_is_checked(server):
    assert server.get(PAID)["errcode"] == 41001
