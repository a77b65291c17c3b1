"""Merges that meet other merges, sign-ins, binds and death, on a database that several share."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connections, transaction

from tests.concurrency.deployment import database_url
from tests.concurrency.server import at_once
from tests.example_project.processes import PATIENCE, ROOT
from tests.host_app.models import Order
from wxauth import services
from wxauth.conf import WechatApp
from wxauth.exceptions import (
    MergeRefused,
    MergeRunning,
    PhoneTaken,
    TokenInvalid,
    UserInactive,
    WxauthError,
)
from wxauth.models import (
    AuditEvent,
    LoginSession,
    Merge,
    MergeStep,
    PhoneNumber,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)
from wxauth.services import phones
from wxauth.services.locking import lock_users
from wxauth.signals import merge_moving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("crowd")]
ROUNDS = 8
MakeUser = Callable[..., Any]


def thread(call: Callable[[], Any]) -> Callable[[], Any]:
    """Return ``call`` for a thread: a refusal is a result, and its connection is closed."""

    def run() -> Any:
        try:
            return call()
        except WxauthError as error:
            return error
        finally:
            connections.close_all()

    return run


def plan_and_run(winner: Any, loser: Any) -> Callable[[], Any]:
    merge = services.propose_merge(winner=winner, loser=loser)
    return thread(lambda: services.run_merge(merge=merge))


def person(app: WechatApp, name: str, unionid: str | None = None) -> services.ConfirmedPerson:
    return services.ConfirmedPerson(app=app, openid=f"o-{name}", unionid=unionid)


def give(user: Any, app: WechatApp, rows: int = 20) -> None:
    name = user.get_username()
    WechatIdentity.objects.create(user=user, app_id=app.app_id, openid=f"o-{name}")
    Order.objects.bulk_create(Order(user=user, text=name) for _ in range(rows))


def active(users: list[Any]) -> list[Any]:
    keys = [user.pk for user in users]
    rows = get_user_model()._base_manager.filter(pk__in=keys, is_active=True)
    return list(rows.values_list("pk", flat=True))


def split(results: list[Any]) -> tuple[list[Any], list[Any]]:
    """Return the merges that were done and the refusals."""
    done = [result for result in results if isinstance(result, Merge)]
    refused = [result for result in results if isinstance(result, (MergeRefused, MergeRunning))]
    assert len(done) + len(refused) == len(results), results
    return done, refused


def test_two_users_merged_both_ways_end_as_one(make_user: MakeUser, app: WechatApp) -> None:
    for _ in range(ROUNDS):
        a, b = make_user(), make_user()
        give(a, app)
        give(b, app)
        done, refused = split(at_once([plan_and_run(a, b), plan_and_run(b, a)]))
        assert len(done) == 1
        assert len(refused) == 1
        winner = done[0].winner_id
        assert active([a, b]) == [winner]
        assert Order.objects.filter(user=winner).count() == 40
        assert WechatIdentity.objects.filter(user=winner).count() == 2


def test_one_merge_run_by_many_is_done_once(make_user: MakeUser, app: WechatApp) -> None:
    a, b = make_user(), make_user()
    give(b, app)
    merge = services.propose_merge(winner=a, loser=b)
    run = thread(lambda: services.run_merge(merge=Merge.objects.get(pk=merge.pk)))
    done, _refused = split(at_once([run] * 6))
    assert done
    assert AuditEvent.objects.filter(kind=AuditEvent.Kind.MERGED).count() == 2
    keys = [key for step in MergeStep.objects.filter(model=Order._meta.label) for key in step.keys]
    assert len(keys) == len(set(keys)) == 20


def test_merges_that_share_a_user_lose_nothing(make_user: MakeUser, app: WechatApp) -> None:
    for _ in range(ROUNDS):
        a, b, c = users = [make_user(), make_user(), make_user()]
        for user in users:
            give(user, app)
        # B goes into A while A goes into C.
        done, _refused = split(at_once([plan_and_run(a, b), plan_and_run(c, a)]))
        assert sorted(active(users)) == sorted(
            {user.pk for user in users} - {merge.loser_id for merge in done}
        )
        owners = set(Order.objects.filter(user__in=users).values_list("user", flat=True))
        assert owners <= set(active(users)), "no row is left with who is switched off"
        assert Order.objects.filter(user__in=users).count() == 60


def slow_merge(entered: threading.Event, go_on: threading.Event) -> Callable[..., None]:
    """Return a receiver that stops the merge half way until it may go on."""

    def wait(sender: Any, **_: Any) -> None:
        if sender is Order:
            entered.set()
            assert go_on.wait(PATIENCE)

    return wait


@pytest.fixture
def during(make_user: MakeUser) -> Callable[..., Any]:
    """Return a function that calls something while a merge stands still, holding its locks."""

    def during(winner: Any, loser: Any, call: Callable[[], Any]) -> tuple[Any, bool]:
        entered, go_on = threading.Event(), threading.Event()
        receiver = slow_merge(entered, go_on)
        merge_moving.connect(receiver)
        try:
            results: list[Any] = []
            run = plan_and_run(winner, loser)
            merging = threading.Thread(target=lambda: results.append(run()))
            merging.start()
            assert entered.wait(PATIENCE)
            answers: list[Any] = []
            asking = threading.Thread(target=lambda: answers.append(thread(call)()))
            asking.start()
            asking.join(0.5)
            waited = asking.is_alive()
            go_on.set()
            merging.join(PATIENCE)
            asking.join(PATIENCE)
        finally:
            go_on.set()
            merge_moving.disconnect(receiver)
        assert isinstance(results[0], Merge), results
        return answers[0], waited

    return during


@pytest.mark.database_server
def test_sign_in_during_a_merge_ends_at_the_winner(
    make_user: MakeUser, app: WechatApp, during: Callable[..., Any]
) -> None:
    a, b = make_user("a"), make_user("b")
    give(b, app)
    answer, waited = during(a, b, lambda: services.login(person=person(app, "b")))
    assert waited, "the sign-in came while the merge was under way"
    assert answer.user == a
    assert services.check_token(access=answer.tokens.access).login_session.user == a
    assert not LoginSession.objects.filter(user=b, revoked_at__isnull=True).exists()


@pytest.mark.database_server
def test_sign_in_by_unionid_during_a_merge_attaches_to_the_winner(
    make_user: MakeUser, app: WechatApp, other_app: WechatApp, during: Callable[..., Any]
) -> None:
    a, b = make_user("a"), make_user("b")
    give(b, app)
    WechatUnion.objects.create(scope=app.union_scope, unionid="u1", user=b)
    new = person(other_app, "b", "u1")
    answer, waited = during(a, b, lambda: services.authorize(person=new))
    assert waited
    assert (answer.user, answer.registered) == (a, False)
    assert set(WechatIdentity.objects.values_list("user", flat=True)) == {a.pk}


@pytest.mark.database_server
def test_unionid_first_seen_during_a_merge_is_the_winners(
    make_user: MakeUser, app: WechatApp, during: Callable[..., Any]
) -> None:
    a, b = make_user("a"), make_user("b")
    give(b, app)
    answer, _ = during(a, b, lambda: services.login(person=person(app, "b", "u1")))
    assert answer.user == a
    assert WechatUnion.objects.get().user == a


@pytest.mark.database_server
def test_phone_bound_during_a_merge_is_refused_and_stays_free(
    make_user: MakeUser, app: WechatApp, during: Callable[..., Any]
) -> None:
    a, b = make_user("a"), make_user("b")
    give(b, app)
    session = services.login(person=person(app, "b")).session
    sms = PhoneNumber.Source.SMS
    bind = partial(phones._bind, session.user, "+8617400000001", source=sms)
    answer, waited = during(a, b, bind)
    assert waited
    assert isinstance(answer, TokenInvalid)
    assert not PhoneNumber.objects.exists()


@pytest.mark.database_server
def test_row_added_by_the_host_during_a_merge_comes_late_and_is_collected(
    make_user: MakeUser, app: WechatApp, during: Callable[..., Any]
) -> None:
    a, b = make_user("a"), make_user("b")
    give(b, app)
    order, waited = during(a, b, lambda: Order.objects.create(user_id=b.pk, text="late"))
    assert waited, "the foreign key waits for the merge"
    assert Order.objects.get(pk=order.pk).user == b
    assert services.collect_late_rows() == 1
    assert Order.objects.filter(user=a).count() == 21


@pytest.mark.database_server
def test_user_deleted_during_a_merge_takes_nothing_along(
    make_user: MakeUser, app: WechatApp, during: Callable[..., Any]
) -> None:
    a, b = make_user("a"), make_user("b")
    give(b, app)

    def delete() -> None:
        with transaction.atomic():
            lock_users(b.pk)
            type(b)._base_manager.get(pk=b.pk).delete()

    _, waited = during(a, b, delete)
    assert waited
    assert Order.objects.filter(user=a).count() == 20
    assert not get_user_model()._base_manager.filter(pk=b.pk).exists()
    assert Merge.objects.get().loser_key == str(b.pk)


def test_crowd_of_sign_ins_and_binds_around_a_merge(make_user: MakeUser, app: WechatApp) -> None:
    for turn in range(ROUNDS):
        a, b = make_user(), make_user()
        name = b.get_username()
        give(b, app)
        number = f"+86174000000{turn:02d}"
        bound = services.login(person=person(app, name)).session.user
        sms = PhoneNumber.Source.SMS
        calls = [thread(partial(services.login, person=person(app, name)))] * 5
        calls.append(plan_and_run(a, b))
        calls.append(thread(partial(phones._bind, bound, number, source=sms)))
        *answers, merged, phone = at_once(calls)
        assert isinstance(merged, Merge), merged
        assert WechatIdentity.objects.get(openid=f"o-{name}").user == a
        assert Order.objects.filter(user=a).count() == 20
        for answer in answers:
            if isinstance(answer, WxauthError):
                assert isinstance(answer, UserInactive), answer
                continue
            session = LoginSession.objects.get(pk=answer.session.pk)
            assert (session.user_id == a.pk) == (session.revoked_at is None)
        if isinstance(phone, WxauthError):
            assert isinstance(phone, (TokenInvalid, PhoneTaken))
        else:
            assert PhoneNumber.objects.get(number=number).user == a
        assert services.login(person=person(app, name)).user == a


@pytest.mark.database_server
def test_killed_merge_has_not_happened_and_the_next_run_finishes_it(
    make_user: MakeUser, app: WechatApp
) -> None:
    a, b = make_user("a"), make_user("b")
    give(b, app, rows=5000)
    WechatProfile.objects.create(user=b, nickname="b")
    process = run_command(a, b, "--yes", KILLED="1")
    process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and lock_is_held(b):
        pass  # until the database has seen that its client is gone
    assert Order.objects.filter(user=b).count() == 5000
    assert WechatIdentity.objects.get().user == b
    assert not MergeStep.objects.exists()
    assert sorted(active([a, b])) == sorted([a.pk, b.pk])
    assert Merge.objects.get().state == Merge.State.CONFIRMED
    process = run_command(a, b, "--yes")
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert Merge.objects.get().state == Merge.State.DONE
    assert Order.objects.filter(user=a).count() == 5000
    assert active([a, b]) == [a.pk]


def lock_is_held(user: Any) -> bool:

    try:
        with transaction.atomic():
            rows = get_user_model()._base_manager.filter(pk=user.pk)
            rows.select_for_update(nowait=True).first()
    except DatabaseError:
        return True
    return False


KILLER = """
import os, signal, sys
import django
django.setup()
from django.core.management import call_command
from wxauth.services import moving
from wxauth.signals import merge_moving
moving.CHUNK = 500
seen = []
if os.environ.get("KILLED"):
    real = moving._update
    def dying(rows, keys, field, value):
        if len(keys) == 500:
            seen.append(1)
            if len(seen) == 4:
                os.kill(os.getpid(), signal.SIGKILL)
        return real(rows, keys, field, value)
    moving._update = dying
call_command("wxauth_merge", *sys.argv[1:])
"""


def run_command(winner: Any, loser: Any, *options: str, **variables: str) -> subprocess.Popen[str]:
    """Run the command in a process of its own, on the tests' database."""
    environment = {
        **os.environ,
        **variables,
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE,
    }
    return subprocess.Popen(
        [sys.executable, "-c", KILLER, str(winner.pk), str(loser.pk), *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
