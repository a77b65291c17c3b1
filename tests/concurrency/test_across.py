"""Merges, deletions, sign-ins by phone and unlinks that meet at one account in one moment."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from django.utils import timezone

from tests.concurrency.server import Answer, Ask, Line, Server, at_once
from tests.host_app.models import Order
from wxauth import services
from wxauth.conf import WechatApp
from wxauth.exceptions import (
    LastSignInMethod,
    MergeRefused,
    NotFound,
    TokenInvalid,
    UserInactive,
    WxauthError,
)
from wxauth.models import (
    AuditEvent,
    DeletionRequest,
    LoginSession,
    Merge,
    PhoneNumber,
    Referral,
    WechatIdentity,
    WechatUnion,
)
from wxauth.services.leaving import Outcome, carry_out
from wxauth.services.wechat_events import handle_event
from wxauth.simulator import WechatSimulator

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database_server,
    pytest.mark.xdist_group("crowd"),
]

PAIRS = range(6)
ROUNDS = 4
ORDERS = 3000  # of a loser: so that a merge lasts as long as a request on its way
LATER = timedelta(days=16)
ERASERS = ["wxauth.erasure.anonymise", "wxauth.erasure.erase"]

Call = Callable[[], Any]
MakeUser = Callable[..., Any]


def thread(call: Call) -> Call:
    """Return ``call`` for a thread: a refusal is a result, and its connection is closed."""

    def run() -> Any:
        try:
            return call()
        except WxauthError as error:
            return error
        finally:
            connections.close_all()

    return run


def merging(winner: Any, loser: Any) -> Call:
    merge = services.propose_merge(winner=winner, loser=loser)
    return thread(lambda: services.run_merge(merge=merge))


def deleting(user: Any) -> Call:
    pk = DeletionRequest.objects.get(user=user).pk
    return thread(partial(carry_out, pk=pk, now=timezone.now() + LATER))


def give_phone(user: Any, number: str) -> None:
    PhoneNumber.objects.create(user=user, number=number, source="sms", verified_at=timezone.now())


def user_of(uid: Any) -> Any:
    return get_user_model()._base_manager.get(pk=uid)


@pytest.fixture
def together(server: Server) -> Callable[[list[Call], list[Ask]], tuple[list[Any], list[Answer]]]:
    """Return a function that makes calls here and requests there in the same moment."""

    def together(calls: list[Call], asks: list[Ask]) -> tuple[list[Any], list[Answer]]:
        with server.lines(len(asks)) as lines:
            sent = [partial(Line.ask, *each) for each in zip(lines, asks, strict=True)]
            results = at_once([*calls, *sent])
        answers = results[len(calls) :]
        assert all(answer.status < 500 for answer in answers), answers
        return results[: len(calls)], answers

    return together


@pytest.fixture
def newcomers(
    simulator: WechatSimulator, make_ask: Callable[..., Ask], app: WechatApp
) -> Callable[[], tuple[list[str], list[Ask]]]:
    """Return a function that gives numbers, and phone sign-ins of people unknown with them."""
    numbers = count(17400000000)

    def newcomers() -> tuple[list[str], list[Ask]]:
        digits = [str(next(numbers)) for _ in PAIRS]
        asks = []
        for each in digits:
            simulator.user(each).phone_number = each
            phone_code = simulator.phone(each, app.app_id)["code"]
            body = {**make_ask("phone_login", each).body, "phone_code": phone_code}
            asks.append(Ask("phone_login", body))
        return [f"+86{each}" for each in digits], asks

    return newcomers


@pytest.mark.parametrize("winner_has_number", [False, True])
def test_phone_login_that_links_during_a_merge_ends_at_one_living_user(
    server: Server,
    make_user: MakeUser,
    together: Any,
    newcomers: Any,
    winner_has_number: bool,
) -> None:
    """The number goes to the winner with the merge, or else is free for a new account."""
    for _ in range(ROUNDS):
        numbers, asks = newcomers()
        pairs = [(make_user(), make_user()) for _ in PAIRS]
        for (winner, loser), number in zip(pairs, numbers, strict=True):
            give_phone(loser, number)
            Order.objects.bulk_create(Order(user=loser) for _ in range(ORDERS))
            if winner_has_number:
                give_phone(winner, number.replace("+86174", "+86175"))
        results, answers = together([merging(*pair) for pair in pairs], asks)
        for pair, number, merge, answer in zip(pairs, numbers, results, answers, strict=True):
            winner, loser = pair
            assert isinstance(merge, Merge), merge
            assert answer.status in (200, 201), answer
            assert Order.objects.filter(user=winner).count() == ORDERS
            assert not WechatIdentity.objects.filter(user=loser).exists()
            assert not PhoneNumber.objects.filter(user=loser).exists()
            assert not LoginSession.objects.filter(user=loser, revoked_at=None).exists()
            if answer.status == 201:  # after the merge, which has set the number free
                assert winner_has_number
                assert answer.body["uid"] not in (winner.pk, loser.pk)
                assert PhoneNumber.objects.get(number=number).user_id == answer.body["uid"]
                continue
            owner = WechatIdentity.objects.get(user=winner)
            assert owner.user == winner
            check = server.ask("check_token", {"token": answer.body["access"]})
            assert (check.status == 200) == (answer.body["uid"] == winner.pk)
        Order.objects.all().delete()


@pytest.mark.parametrize("eraser", ERASERS)
def test_phone_login_that_links_during_a_deletion_calls_it_off_or_starts_anew(
    server: Server,
    make_user: MakeUser,
    together: Any,
    newcomers: Any,
    settings: Any,
    eraser: str,
) -> None:
    settings.WXAUTH_ERASE_USER = eraser
    for _ in range(ROUNDS * 2):
        numbers, asks = newcomers()
        users = [make_user() for _ in PAIRS]
        for user, number in zip(users, numbers, strict=True):
            give_phone(user, number)
            DeletionRequest.objects.create(user=user, source="user", due_at=timezone.now())
        results, answers = together([deleting(user) for user in users], asks)
        for user, number, outcome, answer in zip(users, numbers, results, answers, strict=True):
            assert answer.status in (200, 201), answer
            assert (answer.status == 201) == (outcome is Outcome.DELETED), (answer, outcome)
            assert (answer.body["uid"] == user.pk) == (answer.status == 200)
            assert outcome is not Outcome.FAILED
            assert PhoneNumber.objects.get(number=number).user_id == answer.body["uid"]
            assert WechatIdentity.objects.filter(user=answer.body["uid"]).count() == 1
            check = server.ask("check_token", {"token": answer.body["access"]})
            assert check.status == 200
        assert not DeletionRequest.objects.exists()


def test_unlinks_race_the_return_that_calls_off_a_deletion(
    sign_in: Callable[..., dict[str, Any]],
    make_ask: Callable[..., Ask],
    server: Server,
    together: Any,
    foreign_app: WechatApp,
) -> None:
    """Requests that were let in before the deletion was asked for are still on their way."""
    for turn in range(ROUNDS * 2):
        person = f"restless {turn}"
        tokens = sign_in(person)
        link = make_ask("bind_wechat", person, foreign_app).body
        assert server.ask("bind_wechat", link, access=tokens["access"]).status == 201
        session = LoginSession.objects.select_related("user").get(user=tokens["uid"])
        leave = server.ask("delete_account", {"confirm": True}, access=tokens["access"])
        assert leave.status == 202
        unlinks = [
            thread(partial(services.unbind_wechat, session=session, app=alias))
            for alias in ("default", "foreign")
        ]
        results, answers = together(unlinks, [make_ask("login", person, foreign_app)] * 2)
        refused = [result for result in results if isinstance(result, LastSignInMethod)]
        assert len(refused) == 1, results
        assert {answer.status for answer in answers} <= {200, 400, 404}, "one code is good once"
        came_back = any(answer.status == 200 for answer in answers)
        uid = tokens["uid"]
        assert DeletionRequest.objects.filter(user=uid).exists() == (not came_back)
        events = AuditEvent.objects.filter(kind="deletion_cancelled", user_key=str(uid))
        assert events.count() == came_back
        left = WechatIdentity.objects.get(user=uid)
        alive = LoginSession.objects.filter(user=uid, revoked_at=None)
        assert all(each.identity_id == left.pk for each in alive)


@pytest.mark.parametrize("side", ["winner", "loser"])
def test_merge_and_request_for_deletion_in_one_moment(
    sign_in: Callable[..., dict[str, Any]], together: Any, side: str
) -> None:
    """Who has asked first is not merged; a loser who asks too late is told so."""
    for turn in range(ROUNDS):
        tokens = [
            {name: sign_in(f"{name} {turn} {i}") for name in ("winner", "loser")} for i in PAIRS
        ]
        asks = [Ask("delete_account", {"confirm": True}, each[side]["access"]) for each in tokens]
        pairs = [(user_of(each["winner"]["uid"]), user_of(each["loser"]["uid"])) for each in tokens]
        results, answers = together([merging(*pair) for pair in pairs], asks)
        for (winner, loser), result, answer in zip(pairs, results, answers, strict=True):
            assert isinstance(result, (Merge, MergeRefused)), result
            done = isinstance(result, Merge)
            asked = answer.status == 202
            assert asked or answer.status == 401, answer
            leaver = winner if side == "winner" else loser
            assert DeletionRequest.objects.filter(user=leaver).exists() == asked
            assert DeletionRequest.objects.filter(user__in=[winner, loser]).count() == asked
            assert user_of(loser.pk).is_active == (not done)
            if side == "loser":
                assert done != asked
            assert WechatIdentity.objects.filter(user=loser).count() == (not done)
            if not asked:
                continue
            assert deleting(leaver)() is Outcome.DELETED
            left = WechatIdentity.objects.filter(user__in=[winner, loser]).count()
            assert left == (not done), "a merged person goes as one"


def test_undo_and_deletion_of_the_winner_in_one_moment(make_user: MakeUser) -> None:
    for _ in range(ROUNDS * 2):
        winner, loser = make_user(), make_user()
        Order.objects.create(user=loser)
        merge = merging(winner, loser)()
        DeletionRequest.objects.create(user=winner, source="user", due_at=timezone.now())
        undoing = thread(partial(services.undo_merge, merge=Merge.objects.get(pk=merge.pk)))
        outcome, undone = at_once([deleting(winner), undoing])
        assert outcome is Outcome.DELETED
        loser = user_of(loser.pk)
        assert loser.is_active == isinstance(undone, Merge)
        assert isinstance(undone, (Merge, MergeRefused)), undone
        deleted = AuditEvent.objects.filter(kind="deleted", user_key=str(loser.pk)).exists()
        assert deleted == (not loser.is_active)


def test_wechat_account_closed_as_the_phone_is_taken_off_leaves_nobody_locked_in(
    sign_in: Callable[..., dict[str, Any]], app: WechatApp
) -> None:
    """Either the phone is the last way in, and stays, or the account is to be deleted."""
    for turn in range(ROUNDS * 3):
        uid = sign_in(f"leaver {turn}")["uid"]
        session = LoginSession.objects.select_related("user").get(user=uid)
        give_phone(session.user, f"+86174000000{turn:02d}")
        openid = WechatIdentity.objects.get(user=uid).openid
        message = {"Event": "user_authorization_cancellation", "OpenID": openid}
        handled, unbound = at_once(
            [
                thread(partial(handle_event, app=app, message=message)),
                thread(partial(services.unbind_phone, session=session)),
            ]
        )
        assert handled is True
        refusals = (LastSignInMethod, TokenInvalid, UserInactive, NotFound)
        assert unbound is None or isinstance(unbound, refusals), unbound
        has_phone = PhoneNumber.objects.filter(user=uid).exists()
        assert DeletionRequest.objects.filter(user=uid).exists() == (not has_phone)
        assert not WechatIdentity.objects.filter(user=uid).exists()


def test_merges_at_once_close_no_circle_of_invitations(make_user: MakeUser) -> None:
    """Each of the two would see half of it: A's loser has invited B, and B's loser A."""
    for _ in range(ROUNDS):
        a, a_loser, b, b_loser = (make_user() for _ in range(4))
        Referral.objects.create(referee=b, referrer=a_loser)
        Referral.objects.create(referee=a, referrer=b_loser)
        results = at_once([merging(a, a_loser), merging(b, b_loser)])
        assert all(isinstance(result, Merge) for result in results), results
        rows = Referral.objects.filter(referee__in=[a, b])
        inviters = dict(rows.values_list("referee", "referrer"))
        assert inviters != {a.pk: b.pk, b.pk: a.pk}
        assert {a.pk: b.pk, b.pk: a.pk}.items() & inviters.items(), "one of them went along"


def test_consent_to_the_number_that_is_taken_back_during_a_merge_is_heard(
    make_user: MakeUser, app: WechatApp
) -> None:
    """The number moves while WeChat's event is on its way, and is to be erased all the same."""
    message = {"Event": "user_authorization_revoke", "RevokeInfo": "8"}
    for turn in range(ROUNDS * 3):
        winner, loser = make_user(), make_user()
        give_phone(loser, f"+86174000001{turn:02d}")
        WechatIdentity.objects.create(user=loser, app_id=app.app_id, openid=f"o-{turn}")
        event = {**message, "OpenID": f"o-{turn}"}
        Order.objects.bulk_create(Order(user=loser) for _ in range(100))
        calls = [merging(winner, loser), thread(partial(handle_event, app=app, message=event))]
        merged, handled = at_once(calls)
        assert isinstance(merged, Merge), merged
        assert handled is True
        assert not PhoneNumber.objects.exists()


def test_unlink_races_first_sign_ins_by_the_same_unionid(
    simulator: WechatSimulator,
    sign_in: Callable[..., dict[str, Any]],
    make_ask: Callable[..., Ask],
    together: Any,
    other_app: WechatApp,
) -> None:
    """Who comes by a unionid is its user's, or is new once it has been given up."""
    for turn in range(ROUNDS * 2):
        person = f"two apps {turn}"
        uid = sign_in(person)["uid"]
        session = LoginSession.objects.select_related("user").get(user=uid)
        give_phone(session.user, f"+86174000002{turn:02d}")
        unlink = thread(partial(services.unbind_wechat, session=session, app="default"))
        asks = [make_ask("authorize", person, other_app) for _ in PAIRS]
        (unlinked,), answers = together([unlink], asks)
        assert unlinked is True
        assert {answer.status for answer in answers} <= {200, 201}, answers
        (owner,) = {answer.body["uid"] for answer in answers}
        assert (owner != uid) == any(answer.status == 201 for answer in answers)
        identity = WechatIdentity.objects.get(openid=simulator.openid(person, other_app.app_id))
        assert identity.user_id == owner
        union = WechatUnion.objects.get(unionid=simulator.unionid(person, other_app.union_scope))
        assert union.user_id == owner
