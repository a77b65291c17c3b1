"""Many sign-ins of one person in one moment, over HTTP, against worker processes and threads."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from tests.concurrency.conftest import CROWD
from tests.concurrency.server import Answer, Ask, Server
from wxauth.conf import WechatApp
from wxauth.models import LoginSession, WechatIdentity, WechatProfile, WechatUnion
from wxauth.simulator import WechatSimulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("crowd")]

User = get_user_model()


def counts(answers: list[Answer]) -> Counter[Any]:
    """Count the answers by status; show the first that is neither 200 nor 201."""
    odd = [answer for answer in answers if answer.status not in (200, 201)]
    assert not odd, odd[0]
    return Counter(answer.status for answer in answers)


def conflict_count(server: Server) -> int:
    return server.log.count("its unionid belongs to user")


@pytest.mark.parametrize("route", ["authorize", "register_simple", "register_complex"])
def test_crowd_of_first_sign_ins_is_one_user(
    server: Server, simulator: WechatSimulator, make_ask: Callable[..., Ask], route: str
) -> None:
    simulator.session_key_rotation = "never"  # the data of all must open with one key
    answers = server.at_once([make_ask(route) for _ in range(CROWD)])
    assert counts(answers) == {201: 1, 200: CROWD - 1}
    assert len({answer.worker for answer in answers}) == 2
    assert [a.body["registered"] for a in answers].count(True) == 1
    user = User.objects.get()
    assert {answer.body["uid"] for answer in answers} == {user.pk}
    assert WechatIdentity.objects.get().user == user
    assert WechatUnion.objects.get().user == user
    assert WechatProfile.objects.get().user == user
    assert LoginSession.objects.filter(user=user).count() == CROWD


def test_crowd_through_two_apps_of_one_scope_is_one_user(
    server: Server, make_ask: Callable[..., Ask], app: WechatApp, other_app: WechatApp
) -> None:
    apps = [app, app, other_app, other_app] * (CROWD // 4)
    answers = server.at_once([make_ask("authorize", in_app=each) for each in apps])
    assert counts(answers) == {201: 1, 200: CROWD - 1}
    user = User.objects.get()
    assert WechatUnion.objects.get().user == user
    assert WechatProfile.objects.get().user == user
    identities = WechatIdentity.objects.all()
    assert sorted(identity.app_id for identity in identities) == [app.app_id, other_app.app_id]
    assert {identity.user for identity in identities} == {user}
    assert not any("union_conflict" in answer.body for answer in answers)


def test_crowd_through_apps_of_two_scopes_is_two_users(
    server: Server, make_ask: Callable[..., Ask], app: WechatApp, foreign_app: WechatApp
) -> None:
    apps = [app, app, foreign_app, foreign_app] * (CROWD // 4)
    answers = server.at_once([make_ask("authorize", in_app=each) for each in apps])
    assert counts(answers) == {201: 2, 200: CROWD - 2}
    assert User.objects.count() == WechatUnion.objects.count() == 2
    assert WechatIdentity.objects.count() == WechatProfile.objects.count() == 2


def test_crowd_of_new_people_is_as_many_users(server: Server, make_ask: Callable[..., Ask]) -> None:
    answers = server.at_once([make_ask("authorize", f"person {i}") for i in range(CROWD)])
    assert counts(answers) == {201: CROWD}
    assert User.objects.count() == WechatIdentity.objects.count() == CROWD
    assert len({answer.body["uid"] for answer in answers}) == CROWD


def test_late_unionid_is_claimed_once(
    server: Server,
    simulator: WechatSimulator,
    make_ask: Callable[..., Ask],
    sign_in: Callable[..., dict[str, Any]],
) -> None:
    simulator.user("alice").unionid_hidden = True
    uid = sign_in()["uid"]
    assert not WechatUnion.objects.exists()
    simulator.user("alice").unionid_hidden = False
    answers = server.at_once([make_ask("login") for _ in range(CROWD)])
    assert counts(answers) == {200: CROWD}
    assert {answer.body["uid"] for answer in answers} == {uid}
    assert not any("union_conflict" in answer.body for answer in answers)
    union, identity = WechatUnion.objects.get(), WechatIdentity.objects.get()
    assert union.user_id == identity.user_id == uid
    assert union.unionid == identity.unionid == simulator.unionid("alice", "main")


def test_two_users_who_claim_one_unionid_are_one_conflict(
    server: Server,
    simulator: WechatSimulator,
    make_ask: Callable[..., Ask],
    sign_in: Callable[..., dict[str, Any]],
    app: WechatApp,
    other_app: WechatApp,
) -> None:
    simulator.user("alice").unionid_hidden = True
    uids = {each.app_id: sign_in(in_app=each)["uid"] for each in (app, other_app)}
    assert len(set(uids.values())) == 2
    simulator.user("alice").unionid_hidden = False
    before = conflict_count(server)
    apps = [app, app, other_app, other_app] * (CROWD // 4)
    answers = server.at_once([make_ask("login", in_app=each) for each in apps])
    assert counts(answers) == {200: CROWD}
    assert [answer.body["uid"] for answer in answers] == [uids[each.app_id] for each in apps]
    holder = WechatUnion.objects.get().user_id
    loser = WechatIdentity.objects.exclude(user=holder).get()
    assert loser.union_conflict_at is not None
    assert WechatIdentity.objects.get(user=holder).union_conflict_at is None
    for answer in answers:
        assert answer.body.get("union_conflict", False) is (answer.body["uid"] != holder)
    assert conflict_count(server) - before == 1, "it is told once"


@pytest.mark.redis
@pytest.mark.parametrize("route", ["register_simple", "register_complex"])
def test_one_ticket_registers_once(
    server: Server, simulator: WechatSimulator, make_ask: Callable[..., Ask], route: str
) -> None:
    login = make_ask("login")
    ticket = server.ask(login.route, login.body).body["ticket"]
    simulator.session_key_rotation = "never"
    asks = []
    for _ in range(CROWD):
        body = make_ask(route).body
        asks.append(Ask(route, {**body, "code": None, "ticket": ticket}))
    answers = server.at_once(asks)
    assert Counter(answer.status for answer in answers) == {201: 1, 400: CROWD - 1}
    refused = [answer.body["code"] for answer in answers if answer.status == 400]
    assert set(refused) == {"ticket_invalid"}
    assert User.objects.count() == WechatProfile.objects.count() == 1
    assert LoginSession.objects.count() == 1
