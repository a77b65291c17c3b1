"""What a browser's requests cost: SQL statements, cache calls, calls to WeChat. Counted."""

import pytest

from tests.counting import Costs, Counter
from tests.phone import Phone
from tests.web.conftest import Browser
from tests.web.test_oauth import EXCHANGE, USER_INFO
from tests.web.test_scan import Screen
from wxauth.conf import WechatApp
from wxauth.simulator import WechatSimulator

pytestmark = [pytest.mark.usefixtures("recording_cache"), pytest.mark.django_db]


def ours(costs: Costs) -> list[str]:
    """Return what is asked of our tables; Django's session and ``last_login`` are its own."""
    return [sql.split()[0] for sql in costs.sql if "wxauth_" in sql]


@pytest.mark.parametrize("page", ["start", "embed"])
def test_way_to_wechat_is_one_cache_call(browser: Browser, counted: Counter, page: str) -> None:
    with counted() as costs:
        browser.client.get(f"/wechat/{page}/site/")
    assert (costs.sql, costs.wechat) == ([], [])
    assert costs.beside_rate_limit == [("set", "wxauth:state")]


def test_way_back_is_what_a_sign_in_costs(browser: Browser, counted: Counter) -> None:
    browser.sign_in()
    browser.client.logout()
    state, code = browser.start()["state"], browser.code()
    with counted() as costs:
        browser.back(state, code)
    # Who it is; a name and a picture, if there is none; the sign-in noted, the session.
    assert ours(costs) == ["SELECT", "UPDATE", "UPDATE", "INSERT"]
    assert costs.wechat == [EXCHANGE, USER_INFO]
    calls = [method for method, name in costs.beside_rate_limit if name == "wxauth:state"]
    assert calls == ["get", "add", "set"], "look, claim, outcome"
    with counted() as costs:
        browser.back(state, code)
    assert ours(costs) == ["SELECT"] * 2, "the first one's session, this browser's"
    calls = [method for method, name in costs.beside_rate_limit if name == "wxauth:state"]
    assert calls == ["get", "add", "get_many"], "look, claim, outcome"
    assert costs.wechat == []


def test_code_costs_the_database_nothing_until_it_is_scanned(counted: Counter) -> None:
    screen = Screen()
    with counted() as costs:
        screen.show()
    assert (costs.sql, costs.beside_rate_limit) == ([], [("set", "wxauth:scan")])
    with counted() as costs:
        assert screen.state() == "waiting"
    assert costs.sql == []
    assert costs.beside_rate_limit == [("get", "wxauth:scan"), ("get_many", "wxauth:scan")]


def test_phone_that_says_yes_costs_one_look_each_time(
    wechat_simulator: WechatSimulator, app: WechatApp, counted: Counter
) -> None:
    phone, screen = Phone(wechat_simulator, "alice", app), Screen()
    phone.sign_in()
    screen.show()
    with counted() as costs:
        phone.post("scan/look", {"scan": screen.scan})
    assert costs.verbs == ["SELECT"]
    assert [method for method, _ in costs.beside_rate_limit] == ["get", "add"]
    with counted() as costs:
        phone.post("scan/confirm", {"scan": screen.scan})
    assert costs.verbs == ["SELECT"]
    assert [method for method, _ in costs.beside_rate_limit] == ["get", "get", "add", "set"]
    with counted() as costs:
        assert screen.collect().status_code == 200
    # The phone's session; its user locked, in two looks; it once more, its identity; the session.
    assert ours(costs) == ["SELECT"] * 5 + ["INSERT"]
    calls = [method for method, name in costs.beside_rate_limit if name == "wxauth:scan"]
    assert calls == ["get", "get_many", "add"]
    assert costs.wechat == []
