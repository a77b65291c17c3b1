"""Who follows an official account."""

from typing import Any

import pytest

from tests.simulator.conftest import APP, NOW, WEBSITE, Server
from tests.simulator.test_oauth import ACCOUNT, _apps  # noqa: F401
from wxauth.simulator import SimulatorError, WechatSimulator

pytestmark = pytest.mark.static

PATH = "/cgi-bin/user/info"


def ask(sim: WechatSimulator, server: Server, **changes: Any) -> Any:
    query = {
        "access_token": sim.access_token(ACCOUNT.app_id),
        "openid": sim.openid("alice", ACCOUNT.app_id),
    }
    return server.get(PATH, **(query | changes))


def test_person_who_does_not_follow_is_told_of_with_nothing_more(
    sim: WechatSimulator, server: Server
) -> None:
    openid = sim.openid("alice", ACCOUNT.app_id)
    assert ask(sim, server) == {"subscribe": 0, "openid": openid}


def test_follower_has_a_time_and_a_unionid_and_no_name(
    sim: WechatSimulator, server: Server
) -> None:
    sim.subscribe("alice", ACCOUNT.app_id)
    sim.advance(60)
    told = ask(sim, server, lang="en")
    assert (told["subscribe"], told["subscribe_time"]) == (1, int(NOW))
    assert told["unionid"] == sim.unionid("alice", "main")
    assert told["language"] == "en"
    assert ask(sim, server)["language"] == "zh_CN"
    assert not {"nickname", "headimgurl", "sex"} & set(told)


def test_person_who_leaves_and_comes_back_is_a_new_follower(
    sim: WechatSimulator, server: Server
) -> None:
    sim.subscribe("alice", ACCOUNT.app_id)
    sim.subscribe("alice", ACCOUNT.app_id, is_subscribed=False)
    assert ask(sim, server)["subscribe"] == 0
    sim.advance(60)
    sim.subscribe("alice", ACCOUNT.app_id)
    assert ask(sim, server)["subscribe_time"] == int(NOW) + 60


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"access_token": ""}, 41001),
        ({"access_token": "x"}, 40014),
        ({"openid": ""}, 41009),
        ({"openid": "oNobody"}, 40003),
    ],
)
def test_question_is_refused(
    sim: WechatSimulator, server: Server, changes: dict[str, str], errcode: int
) -> None:
    assert ask(sim, server, **changes)["errcode"] == errcode


def test_token_ends_and_is_replaced(sim: WechatSimulator, server: Server) -> None:
    token = sim.access_token(ACCOUNT.app_id)
    sim.revoke_access_tokens(ACCOUNT.app_id)
    assert ask(sim, server, access_token=token)["errcode"] == 40001
    token = sim.access_token(ACCOUNT.app_id)
    sim.advance(7200)
    assert ask(sim, server, access_token=token)["errcode"] == 42001


@pytest.mark.parametrize("app", [APP, WEBSITE])
def test_app_that_is_no_official_account_has_no_followers(
    sim: WechatSimulator, server: Server, app: Any
) -> None:
    token, openid = sim.access_token(app.app_id), sim.openid("alice", app.app_id)
    assert ask(sim, server, access_token=token, openid=openid)["errcode"] == 48001
    with pytest.raises(SimulatorError, match="no official account"):
        sim.subscribe("alice", app.app_id)


def test_openid_of_another_app_is_refused(sim: WechatSimulator, server: Server) -> None:
    openid = sim.openid("alice", WEBSITE.app_id)
    assert ask(sim, server, openid=openid)["errcode"] == 40003
