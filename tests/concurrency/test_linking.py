"""Accounts that several want in one moment: by the phone, by linking, and by taking things off."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.concurrency.conftest import CROWD
from tests.concurrency.server import Ask, Server
from wxauth.conf import WechatApp
from wxauth.models import (
    AuditEvent,
    LoginSession,
    PhoneNumber,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)
from wxauth.simulator import WechatSimulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("crowd")]

NUMBER = "17400000000"
PEOPLE = [f"person {i}" for i in range(CROWD)]
ROUNDS = 4  # of what ends one way or the other

AskFunction = Callable[..., Ask]
SignInFunction = Callable[..., dict[str, Any]]


@pytest.fixture
def phone_login(simulator: WechatSimulator, make_ask: AskFunction) -> AskFunction:
    """Return a function that makes a phone sign-in with fresh codes of this person's."""

    def phone_login(person: str = "alice", **fields: Any) -> Ask:
        ask = make_ask("phone_login", person, **fields)
        app_id = fields["in_app"].app_id if fields else simulator.apps[0].app_id
        phone_code = simulator.phone(person, app_id)["code"]
        return Ask("phone_login", {**ask.body, "phone_code": phone_code})

    return phone_login


@pytest.fixture
def bind(
    simulator: WechatSimulator, make_ask: AskFunction, app: WechatApp
) -> Callable[[str, str, dict[str, Any]], Ask]:
    """Return a function that makes a bind, of the phone or of WeChat, for who has these tokens."""

    def bind(route: str, person: str, tokens: dict[str, Any], **fields: Any) -> Ask:
        if route == "bind_phone":
            body = {"phone_code": simulator.phone(person, app.app_id)["code"]}
        else:
            body = make_ask(route, person, **fields).body
        return Ask(route, body, tokens["access"])

    return bind


def statuses(answers: list[Any]) -> Counter:
    return Counter(answer.status for answer in answers)


def test_one_person_in_a_crowd_of_phone_sign_ins_is_one_user(
    server: Server, phone_login: AskFunction
) -> None:
    answers = server.at_once([phone_login() for _ in range(CROWD)])
    assert statuses(answers) == {201: 1, 200: CROWD - 1}
    user = User.objects.get()
    assert {answer.body["uid"] for answer in answers} == {user.pk}
    assert not any(answer.body.get("phone_conflict") for answer in answers)
    assert WechatIdentity.objects.get().user == PhoneNumber.objects.get().user == user
    assert WechatProfile.objects.count() == WechatUnion.objects.count() == 1
    assert LoginSession.objects.filter(revoked_at=None).count() == CROWD
    assert AuditEvent.objects.filter(kind="phone_bound").count() == 1


def test_one_person_through_two_apps_of_one_scope_is_one_user(
    server: Server, phone_login: AskFunction, app: WechatApp, other_app: WechatApp
) -> None:
    apps = [app, app, other_app, other_app] * (CROWD // 4)
    answers = server.at_once([phone_login(in_app=each) for each in apps])
    assert statuses(answers) == {201: 1, 200: CROWD - 1}
    assert PhoneNumber.objects.get().user == User.objects.get()
    assert WechatIdentity.objects.count() == 2


def test_one_person_through_two_apps_without_unionids_is_one_user_by_the_number(
    server: Server,
    simulator: WechatSimulator,
    phone_login: AskFunction,
    app: WechatApp,
    foreign_app: WechatApp,
) -> None:
    apps = [app, app, foreign_app, foreign_app] * (CROWD // 4)
    answers = server.at_once([phone_login(in_app=each) for each in apps])
    assert statuses(answers) == {201: 1, 200: CROWD - 1}
    assert User.objects.count() == PhoneNumber.objects.count() == 1
    assert WechatIdentity.objects.count() == 2
    assert [answer.body.get("linked") for answer in answers].count(True) == 1


def test_one_number_of_a_crowd_of_persons_goes_to_one(
    server: Server, simulator: WechatSimulator, phone_login: AskFunction
) -> None:
    for person in PEOPLE:
        simulator.user(person).phone_number = NUMBER
    answers = server.at_once([phone_login(person) for person in PEOPLE])
    assert statuses(answers) == {201: 1, 409: CROWD - 1}
    assert {a.body["code"] for a in answers if a.status == 409} == {"phone_taken"}
    assert User.objects.count() == WechatIdentity.objects.count() == 1
    assert PhoneNumber.objects.get().user == User.objects.get()
    assert LoginSession.objects.count() == WechatProfile.objects.count() == 1


def test_account_that_a_crowd_finds_by_its_number_goes_to_one(
    server: Server, simulator: WechatSimulator, phone_login: AskFunction
) -> None:
    owner = User.objects.create_user("owner", password="planted")
    PhoneNumber.objects.create(
        user=owner, number=f"+86{NUMBER}", source="sms", verified_at="2020-01-01T00:00:00Z"
    )
    for person in PEOPLE:
        simulator.user(person).phone_number = NUMBER
    answers = server.at_once([phone_login(person) for person in PEOPLE])
    assert statuses(answers) == {200: 1, 409: CROWD - 1}
    assert WechatIdentity.objects.get().user == User.objects.get() == owner
    winner = next(answer.body for answer in answers if answer.status == 200)
    assert winner["linked"] is True
    assert server.ask("check_token", {"token": winner["access"]}).status == 200
    assert LoginSession.objects.get().revoked_at is None


def test_phone_sign_ins_race_binds_of_the_same_number(
    server: Server,
    simulator: WechatSimulator,
    sign_in: SignInFunction,
    phone_login: AskFunction,
    bind: Callable[..., Ask],
) -> None:
    for round_ in range(ROUNDS):
        number = f"1740000010{round_}"
        people = [f"{round_} {name}" for name in PEOPLE[:8]]
        for person in people:
            simulator.user(person).phone_number = number
        members = {person: sign_in(person) for person in people[:4]}
        asks = [bind("bind_phone", person, tokens) for person, tokens in members.items()]
        asks += [phone_login(person) for person in people[4:]]
        answers = server.at_once(asks)
        won = [answer for answer in answers if answer.status in (200, 201)]
        assert len(won) == 1, answers
        assert statuses(answers)[409] == len(asks) - 1
        holder = PhoneNumber.objects.get(number=f"+86{number}").user_id
        assert holder in {tokens["uid"] for tokens in members.values()} | {
            answer.body["uid"] for answer in won if "uid" in answer.body
        }
        # Nobody is anybody else than before, and who was refused is nobody.
        assert User.objects.count() == WechatIdentity.objects.count()
    assert PhoneNumber.objects.count() == ROUNDS


def test_phone_sign_in_races_ones_own_bind(
    server: Server, sign_in: SignInFunction, phone_login: AskFunction, bind: Callable[..., Ask]
) -> None:
    tokens = sign_in()
    asks = [phone_login() if i % 2 else bind("bind_phone", "alice", tokens) for i in range(CROWD)]
    answers = server.at_once(asks)
    assert statuses(answers) == {200: CROWD}
    assert PhoneNumber.objects.get().user_id == tokens["uid"]
    assert not any(answer.body.get("phone_conflict") for answer in answers)


def test_one_wechat_account_that_a_crowd_links_goes_to_one(
    server: Server, sign_in: SignInFunction, bind: Callable[..., Ask], foreign_app: WechatApp
) -> None:
    members = [sign_in(person) for person in PEOPLE]
    answers = server.at_once(
        [bind("bind_wechat", "the one", tokens, in_app=foreign_app) for tokens in members]
    )
    assert statuses(answers) == {201: 1, 409: CROWD - 1}
    assert {a.body["code"] for a in answers if a.status == 409} == {"identity_taken"}
    assert WechatIdentity.objects.filter(app_id=foreign_app.app_id).count() == 1
    assert WechatUnion.objects.filter(scope=foreign_app.union_scope).count() == 1


def test_crowd_of_wechat_accounts_that_one_user_links_is_one(
    server: Server, sign_in: SignInFunction, bind: Callable[..., Ask], foreign_app: WechatApp
) -> None:
    tokens = sign_in()
    answers = server.at_once(
        [bind("bind_wechat", person, tokens, in_app=foreign_app) for person in PEOPLE]
    )
    assert statuses(answers) == {201: 1, 409: CROWD - 1}
    assert {a.body["code"] for a in answers if a.status == 409} == {"already_linked"}
    assert WechatIdentity.objects.count() == 2


def test_link_races_a_registration_of_the_same_person(
    server: Server,
    sign_in: SignInFunction,
    make_ask: AskFunction,
    bind: Callable[..., Ask],
    foreign_app: WechatApp,
) -> None:
    tokens = sign_in()
    for round_ in range(ROUNDS):
        person = f"newcomer {round_}"
        asks = [
            make_ask("authorize", person, foreign_app)
            if i % 2
            else bind("bind_wechat", person, tokens, in_app=foreign_app)
            for i in range(8)
        ]
        answers = server.at_once(asks)
        assert set(statuses(answers)) <= {200, 201, 409}
        owner = WechatIdentity.objects.get(app_id=foreign_app.app_id).user_id
        signed_in = [answer.body["uid"] for answer in answers if "uid" in answer.body]
        assert set(signed_in) == {owner}
        WechatIdentity.objects.filter(app_id=foreign_app.app_id).delete()
        WechatUnion.objects.filter(scope=foreign_app.union_scope).delete()


@pytest.mark.parametrize("has_phone", [False, True])
def test_last_two_ways_in_are_not_taken_off_in_one_moment(
    server: Server,
    sign_in: SignInFunction,
    bind: Callable[..., Ask],
    foreign_app: WechatApp,
    has_phone: bool,
) -> None:
    """Two identities, or an identity and the phone: of two who each see the other, one is late."""
    for round_ in range(ROUNDS * 2):
        person = f"careless {round_}"
        tokens = sign_in(person)
        second = bind("bind_phone", person, tokens) if has_phone else None
        second = second or bind("bind_wechat", person, tokens, in_app=foreign_app)
        assert server.ask(second.route, second.body, access=tokens["access"]).status in (200, 201)
        # By sessions of their own: what one of them ends must not be what refuses the other.
        asks = [
            Ask("unbind_wechat", {"app": "default"}, sign_in(person)["access"]),
            Ask(
                "unbind_phone" if has_phone else "unbind_wechat",
                {} if has_phone else {"app": "foreign"},
                tokens["access"],
            ),
        ]
        answers = server.at_once(asks)
        bad = [answer for answer in answers if answer.status not in (200, 204)]
        assert len(bad) == 1, answers
        # Who waited for the lock while their own session ended is told that, or the reason.
        assert bad[0].body["code"] in {"last_sign_in_method", "token_invalid"}, bad
        user = tokens["uid"]
        ways = WechatIdentity.objects.filter(user=user).count()
        ways += PhoneNumber.objects.filter(user=user).count()
        assert ways == 1


def test_unlinks_race_sign_ins_and_leave_no_open_session_of_what_is_gone(
    server: Server,
    sign_in: SignInFunction,
    make_ask: AskFunction,
    bind: Callable[..., Ask],
    foreign_app: WechatApp,
) -> None:
    for round_ in range(ROUNDS):
        person = f"restless {round_}"
        tokens = sign_in(person)
        link = bind("bind_wechat", person, tokens, in_app=foreign_app)
        assert server.ask(link.route, link.body, access=tokens["access"]).status == 201
        asks = [make_ask("login", person, foreign_app) for _ in range(8)]
        asks[4] = Ask("unbind_wechat", {"app": "foreign"}, tokens["access"])
        answers = server.at_once(asks)
        assert answers[4].status == 200
        others = [answer for i, answer in enumerate(answers) if i != 4]
        assert set(statuses(others)) <= {200, 404}, others
        assert not WechatIdentity.objects.filter(app_id=foreign_app.app_id).exists()
        left = LoginSession.objects.filter(user=tokens["uid"], revoked_at=None)
        assert set(left.values_list("app", flat=True)) == {"default"}
