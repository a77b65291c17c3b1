"""Many who ask for one code, name one referrer, or are refused, in one moment. Incident 34."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from tests.concurrency.conftest import CROWD
from tests.concurrency.server import Ask, Server, at_once
from wxauth import transactions
from wxauth.conf import WechatApp
from wxauth.models import AuditEvent, InviteCode, Referral
from wxauth.simulator import WechatSimulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("crowd")]

User = get_user_model()


def statuses(answers: list[Any]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


def named(ask: Ask, referrer: Any) -> Ask:
    return Ask(ask.route, {**ask.body, "referrer": referrer, "scene": "poster"})


def test_crowd_of_first_requests_is_one_code(
    server: Server, sign_in: Callable[..., dict[str, Any]]
) -> None:
    ask = Ask("invite_code", access=sign_in()["access"], method="GET")
    answers = server.at_once([ask] * CROWD)
    assert statuses(answers) == {200: CROWD}
    assert len({answer.worker for answer in answers}) == 2
    code = InviteCode.objects.get().code
    assert {answer.body["invite_code"] for answer in answers} == {code}


def test_first_requests_of_a_crowd_are_as_many_codes(
    server: Server, make_ask: Callable[..., Ask]
) -> None:
    people = server.at_once([make_ask("authorize", f"person {i}") for i in range(CROWD)])
    asks = [Ask("invite_code", access=one.body["access"], method="GET") for one in people]
    answers = server.at_once(asks)
    assert statuses(answers) == {200: CROWD}
    assert len({answer.body["invite_code"] for answer in answers}) == CROWD


@pytest.mark.parametrize("by", ["uid", "code"])
def test_crowd_that_one_user_has_invited_is_as_many_referrals(
    server: Server,
    make_ask: Callable[..., Ask],
    sign_in: Callable[..., dict[str, Any]],
    by: str,
) -> None:
    inviter = sign_in("inviter")
    referrer: Any = inviter["uid"]
    if by == "code":
        ask = Ask("invite_code", access=inviter["access"], method="GET")
        referrer = server.at_once([ask] * 2)[0].body["invite_code"]
    asks = [named(make_ask("authorize", f"person {i}"), referrer) for i in range(CROWD)]
    answers = server.at_once(asks)
    assert statuses(answers) == {201: CROWD}
    referrals = Referral.objects.filter(referrer_id=inviter["uid"], scene="poster")
    assert {row.referee_id for row in referrals} == {answer.body["uid"] for answer in answers}
    assert Referral.objects.count() == CROWD


def test_crowd_of_one_person_with_many_referrers_has_one_for_good(
    server: Server, make_ask: Callable[..., Ask]
) -> None:
    others = server.at_once([make_ask("authorize", f"person {i}") for i in range(CROWD)])
    uids = [other.body["uid"] for other in others]
    answers = server.at_once([named(make_ask("authorize"), uid) for uid in uids])
    assert statuses(answers) == {201: 1, 200: CROWD - 1}
    [winner] = [uid for uid, answer in zip(uids, answers, strict=True) if answer.status == 201]
    referral = Referral.objects.get()
    assert (referral.referrer_id, referral.referee_id) == (winner, answers[0].body["uid"])


def test_two_crowds_that_name_each_other_are_no_circle(
    server: Server, make_ask: Callable[..., Ask], sign_in: Callable[..., dict[str, Any]]
) -> None:
    """Who has an account can invite, and can no longer be invited: whoever is first."""
    first = sign_in("alice")["uid"]
    asks = [named(make_ask("authorize", "bob"), first) for _ in range(CROWD // 2)]
    asks += [named(make_ask("authorize", "alice"), first + 1) for _ in range(CROWD // 2)]
    answers = server.at_once(asks)
    assert statuses(answers) == {201: 1, 200: CROWD - 1}
    referral = Referral.objects.get()
    assert referral.referrer_id == first
    assert Referral.objects.count_levels(User.objects.get(pk=first), depth=3) == [1, 0, 0]


def test_referrer_who_is_deleted_meanwhile_fails_no_registration(
    server: Server, make_ask: Callable[..., Ask], sign_in: Callable[..., dict[str, Any]]
) -> None:
    uid = sign_in("inviter")["uid"]
    asks = [named(make_ask("authorize", f"person {i}"), uid) for i in range(CROWD)]

    def delete() -> Any:
        try:
            # The host's own deletion may lose the race, and then it has to come again.
            return transactions.run(User.objects.filter(pk=uid).delete)
        finally:
            connection.close()

    with server.lines(CROWD) as lines:
        calls = [partial(line.ask, ask) for line, ask in zip(lines, asks, strict=True)]
        *answers, _deleted = at_once([*calls, delete])
    assert statuses(answers) == {201: CROWD}
    assert not User.objects.filter(pk=uid).exists()
    assert not Referral.objects.filter(referrer__isnull=False).exists()


def test_crowd_that_is_refused_is_one_row(
    server: Server, make_ask: Callable[..., Ask], sign_in: Callable[..., dict[str, Any]]
) -> None:
    uid = sign_in()["uid"]
    User.objects.filter(pk=uid).update(is_active=False)
    answers = server.at_once([make_ask("login") for _ in range(CROWD)])
    assert statuses(answers) == {403: CROWD}
    assert AuditEvent.objects.get().user_key == str(uid)


def test_crowd_in_conflict_is_recorded_once(
    server: Server,
    simulator: WechatSimulator,
    make_ask: Callable[..., Ask],
    sign_in: Callable[..., dict[str, Any]],
    other_app: WechatApp,
) -> None:
    simulator.user("alice").unionid_hidden = True
    uid = sign_in()["uid"]
    sign_in(in_app=other_app)
    simulator.user("alice").unionid_hidden = False
    sign_in(in_app=other_app)
    answers = server.at_once([make_ask("login") for _ in range(CROWD)])
    assert statuses(answers) == {200: CROWD}
    event = AuditEvent.objects.get()
    assert (event.kind, event.user_id) == ("union_conflict", uid)
