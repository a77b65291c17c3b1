"""One number that many want in one moment, and many who need WeChat's token in one moment."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.concurrency.conftest import CROWD
from tests.concurrency.server import Ask, Server
from wxauth.conf import WechatApp
from wxauth.models import PhoneNumber
from wxauth.simulator import WechatSimulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("crowd")]

NUMBER = "17400000000"
PEOPLE = [f"person {i}" for i in range(CROWD)]
BindFunction = Callable[[list[dict[str, Any]]], list[Ask]]


@pytest.fixture
def crowd(server: Server, make_ask: Callable[..., Ask]) -> list[dict[str, Any]]:
    """The tokens of 32 people."""
    answers = server.at_once([make_ask("authorize", person) for person in PEOPLE])
    assert Counter(answer.status for answer in answers) == {201: CROWD}
    return [answer.body for answer in answers]


@pytest.fixture
def bind(simulator: WechatSimulator, app: WechatApp) -> BindFunction:
    """Return a function that has all people press the phone button."""

    def bind(crowd: list[dict[str, Any]]) -> list[Ask]:
        return [
            Ask(
                "bind_phone",
                {"phone_code": simulator.phone(person, app.app_id)["code"]},
                tokens["access"],
            )
            for person, tokens in zip(PEOPLE, crowd, strict=True)
        ]

    return bind


@pytest.mark.parametrize("have_numbers", [False, True])
def test_one_number_goes_to_one_of_a_crowd(
    server: Server,
    simulator: WechatSimulator,
    crowd: list[dict[str, Any]],
    bind: BindFunction,
    have_numbers: bool,
) -> None:
    if have_numbers:
        answers = server.at_once(bind(crowd))
        assert Counter(answer.status for answer in answers) == {200: CROWD}
    before = dict(PhoneNumber.objects.values_list("user_id", "number"))
    assert len(before) == (CROWD if have_numbers else 0)
    for person in PEOPLE:
        simulator.user(person).phone_number = NUMBER

    answers = server.at_once(bind(crowd))
    assert Counter(answer.status for answer in answers) == {200: 1, 409: CROWD - 1}
    assert {a.body["code"] for a in answers if a.status == 409} == {"phone_taken"}
    winner = next(
        tokens["uid"] for tokens, answer in zip(crowd, answers, strict=True) if answer.status == 200
    )
    after = dict(PhoneNumber.objects.values_list("user_id", "number"))
    assert after == {**before, winner: f"+86{NUMBER}"}, "the others keep what they had"


def test_one_users_binds_in_one_moment_are_one_row(
    server: Server,
    simulator: WechatSimulator,
    sign_in: Callable[..., dict[str, Any]],
    app: WechatApp,
) -> None:
    tokens = sign_in()
    asks = []
    for i in range(CROWD):
        simulator.user("alice").phone_number = f"174000000{i:02d}"
        phone_code = simulator.phone("alice", app.app_id)["code"]
        asks.append(Ask("bind_phone", {"phone_code": phone_code}, tokens["access"]))
    answers = server.at_once(asks)
    assert Counter(answer.status for answer in answers) == {200: CROWD}
    assert PhoneNumber.objects.get().number in {answer.body["phone"] for answer in answers}


def test_one_phone_code_is_good_once(
    server: Server,
    simulator: WechatSimulator,
    sign_in: Callable[..., dict[str, Any]],
    app: WechatApp,
) -> None:
    tokens = sign_in()
    phone_code = simulator.phone("alice", app.app_id)["code"]
    ask = Ask("bind_phone", {"phone_code": phone_code}, tokens["access"])
    answers = server.at_once([ask] * CROWD)
    assert Counter(answer.status for answer in answers) == {200: 1, 400: CROWD - 1}
    assert PhoneNumber.objects.count() == 1


@pytest.mark.redis
def test_cold_cache_costs_one_stable_token(
    server: Server, simulator: WechatSimulator, crowd: list[dict[str, Any]], bind: BindFunction
) -> None:
    assert not simulator.calls("/cgi-bin/stable_token")
    # So slow that all others come while the first one waits for it.
    simulator.fail("/cgi-bin/stable_token", delay=0.5, times=None)
    answers = server.at_once(bind(crowd))
    assert Counter(answer.status for answer in answers) == {200: CROWD}
    assert len({answer.worker for answer in answers}) == 2
    assert len(simulator.calls("/cgi-bin/stable_token")) == 1
    assert len(simulator.calls("/wxa/business/getuserphonenumber")) == CROWD


@pytest.mark.redis
def test_refused_token_is_renewed_once(
    server: Server,
    simulator: WechatSimulator,
    crowd: list[dict[str, Any]],
    bind: BindFunction,
    app: WechatApp,
) -> None:
    assert {a.status for a in server.at_once(bind(crowd))} == {200}
    simulator.revoke_access_tokens(app.app_id)
    simulator.fail("/cgi-bin/stable_token", delay=0.5, times=None)
    answers = server.at_once(bind(crowd))
    assert Counter(answer.status for answer in answers) == {200: CROWD}
    assert len(simulator.calls("/cgi-bin/stable_token")) == 2


@pytest.mark.redis
def test_one_encrypted_data_is_good_once(
    server: Server,
    simulator: WechatSimulator,
    sign_in: Callable[..., dict[str, Any]],
    app: WechatApp,
) -> None:
    tokens = sign_in()
    data = simulator.phone("alice", app.app_id)
    body = {name: data[name] for name in ("encryptedData", "iv")}
    answers = server.at_once([Ask("bind_phone", body, tokens["access"])] * CROWD)
    assert Counter(answer.status for answer in answers) == {200: 1, 400: CROWD - 1}
    assert {a.body["code"] for a in answers if a.status == 400} == {"wechat_data_invalid"}
