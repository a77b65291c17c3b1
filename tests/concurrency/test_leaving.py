"""Deletions that meet sign-ins, binds and each other; processes that are killed in the middle."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from tests.concurrency.deployment import deployment
from tests.concurrency.server import Ask, Server, at_once
from tests.example_project.processes import ROOT, clean_environment
from wxauth import services
from wxauth.conf import WechatApp
from wxauth.exceptions import TokenInvalid
from wxauth.models import (
    AuditEvent,
    DeletionRequest,
    LoginSession,
    PhoneNumber,
    WechatIdentity,
    WechatProfile,
)
from wxauth.services.leaving import Outcome, carry_out, due_requests
from wxauth.services.purging import purge_sessions
from wxauth.simulator import WechatSimulator

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database_server,
    pytest.mark.xdist_group("crowd"),
]

PEOPLE = [f"person {i}" for i in range(16)]
LATER = timedelta(days=16)
ERASERS = ["wxauth.erasure.anonymise", "wxauth.erasure.erase"]
SignIn = Callable[..., dict[str, Any]]


@pytest.fixture
def leavers(server: Server, make_ask: Callable[..., Ask]) -> list[dict[str, Any]]:
    """The tokens of 16 people, all of whom have asked to be deleted."""
    answers = server.at_once([make_ask("authorize", person) for person in PEOPLE])
    tokens = [answer.body for answer in answers]
    asks = [Ask("delete_account", {"confirm": True}, each["access"]) for each in tokens]
    assert {answer.status for answer in server.at_once(asks)} == {202}
    return tokens


def closing(call: Callable[[], Any]) -> Callable[[], Any]:
    """Return the call, after which its thread leaves no connection behind."""

    def run() -> Any:
        try:
            return call()
        finally:
            connections.close_all()

    return run


def carry_out_of(uid: Any) -> Callable[[], Any]:
    pk = DeletionRequest.objects.get(user=uid).pk
    return closing(partial(carry_out, pk=pk, now=timezone.now() + LATER))


@pytest.mark.parametrize("eraser", ERASERS)
def test_two_runs_at_once_delete_each_account_once(
    leavers: list[dict[str, Any]], settings: Any, eraser: str
) -> None:
    settings.WXAUTH_ERASE_USER = eraser
    now = timezone.now() + LATER
    pks = due_requests(now=now)
    assert len(pks) == len(PEOPLE)

    def run() -> Counter[Outcome]:
        return Counter(carry_out(pk=pk, now=now) for pk in pks)

    total = sum(at_once([closing(run)] * 4), Counter())
    assert total[Outcome.DELETED] == len(PEOPLE)
    assert total[Outcome.NOT_THERE] == 3 * len(PEOPLE)
    assert not DeletionRequest.objects.exists()
    deleted = AuditEvent.objects.filter(kind="deleted").values_list("user_key", flat=True)
    assert sorted(deleted) == sorted(str(each["uid"]) for each in leavers)


@pytest.mark.parametrize("eraser", ERASERS)
def test_return_and_deletion_in_one_moment_end_in_one_of_the_two(
    server: Server,
    leavers: list[dict[str, Any]],
    make_ask: Callable[..., Ask],
    settings: Any,
    eraser: str,
) -> None:
    settings.WXAUTH_ERASE_USER = eraser
    deletions = [carry_out_of(each["uid"]) for each in leavers]
    with server.lines(len(PEOPLE)) as lines:
        sign_ins = [
            partial(line.ask, make_ask("login", person))
            for line, person in zip(lines, PEOPLE, strict=True)
        ]
        results = at_once([*deletions, *sign_ins])
    outcomes, answers = results[: len(PEOPLE)], results[len(PEOPLE) :]
    assert {answer.status for answer in answers} <= {200, 404}, answers
    assert Outcome.FAILED not in outcomes
    for tokens, answer, outcome in zip(leavers, answers, outcomes, strict=True):
        is_there = WechatIdentity.objects.filter(user=tokens["uid"]).exists()
        assert is_there == (answer.status == 200), (answer, outcome)
        assert (outcome is Outcome.DELETED) == (answer.status == 404), (answer, outcome)
        if answer.status == 200:
            assert answer.body["uid"] == tokens["uid"]
            check = server.ask("check_token", {"token": answer.body["access"]})
            assert check.status == 200
    assert not DeletionRequest.objects.exists()


def test_request_and_sign_ins_in_one_moment_never_delete_who_is_signed_in(
    server: Server, sign_in: SignIn, make_ask: Callable[..., Ask]
) -> None:
    """Whoever holds a token that works, when the time has come, keeps the account."""
    for _ in range(5):
        tokens = sign_in()
        asks = [Ask("delete_account", {"confirm": True}, tokens["access"])]
        asks += [make_ask("login") for _ in range(7)]
        answers = server.at_once(asks)
        assert Counter(answer.status for answer in answers) == {202: 1, 200: 7}
        access = [answer.body["access"] for answer in answers[1:]]
        alive = [server.ask("check_token", {"token": each}).status == 200 for each in access]
        now = timezone.now() + LATER
        for pk in due_requests(now=now):
            carry_out(pk=pk, now=now)
        deleted = AuditEvent.objects.filter(kind="deleted", user_key=str(tokens["uid"])).exists()
        assert deleted == (not any(alive))


def test_parallel_returns_call_it_off_once(
    server: Server, leavers: list[dict[str, Any]], make_ask: Callable[..., Ask]
) -> None:
    answers = server.at_once([make_ask("login", PEOPLE[0]) for _ in range(16)])
    assert {answer.status for answer in answers} == {200}
    assert sum("deletion_cancelled" in answer.body for answer in answers) == 1
    uid = str(leavers[0]["uid"])
    assert AuditEvent.objects.filter(kind="deletion_cancelled", user_key=uid).count() == 1


def test_parallel_requests_are_one(server: Server, sign_in: SignIn) -> None:
    tokens = sign_in()
    answers = server.at_once([Ask("delete_account", {"confirm": True}, tokens["access"])] * 8)
    assert {answer.status for answer in answers} <= {202, 401}
    assert len({a.body["due_at"] for a in answers if a.status == 202}) == 1
    assert AuditEvent.objects.filter(kind="deletion_requested").count() == 1


@pytest.mark.parametrize("eraser", ERASERS)
def test_number_bound_while_the_account_is_deleted_stays_with_nobody(
    simulator: WechatSimulator,
    leavers: list[dict[str, Any]],
    app: WechatApp,
    settings: Any,
    eraser: str,
) -> None:
    """A request that was let in before its session ended is still on its way."""
    settings.WXAUTH_ERASE_USER = eraser
    settings.WXAUTH_API_BASE_URL = simulator.base_url

    def bind(session: LoginSession, code: str) -> bool:
        try:
            services.bind_phone_by_code(session=session, phone_code=code)
        except TokenInvalid:
            return False
        return True

    def rename(session: LoginSession) -> bool:
        try:
            services.change_profile(user=session.user, changes={"nickname": "Zoé"})
        except TokenInvalid:
            return False
        return True

    calls: list[Callable[[], Any]] = []
    for tokens, person in zip(leavers, PEOPLE, strict=True):
        session = LoginSession.objects.select_related("user", "identity").get(user=tokens["uid"])
        code = simulator.phone(person, app.app_id)["code"]
        calls += [carry_out_of(tokens["uid"]), closing(partial(bind, session, code))]
        calls += [closing(partial(rename, session))]
    results = at_once(calls)
    assert set(results[::3]) == {Outcome.DELETED}
    assert not PhoneNumber.objects.exists()
    assert not WechatProfile.objects.exists()


# Killed in the middle


@contextmanager
def process(simulator: WechatSimulator, code: str) -> Iterator[subprocess.Popen[str]]:
    """Run Python code on the tests' database; the process is killed when the block is left."""
    with subprocess.Popen(
        [sys.executable, "-c", f"import django; django.setup()\n{code}"],
        cwd=ROOT,
        env=clean_environment(
            **deployment(simulator), DJANGO_SETTINGS_MODULE="example_project.settings"
        ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


DELETE = """
from datetime import timedelta
from django.conf import settings
from django.utils import timezone
from wxauth.services.leaving import carry_out, due_requests
settings.WXAUTH_ERASE_USER = "tests.concurrency.erasers.wait_to_be_killed"
now = timezone.now()
for pk in due_requests(now=now):
    carry_out(pk=pk, now=now)
"""
PURGE = """
from django.utils import timezone
from wxauth.services.purging import purge_sessions
for count in purge_sessions(before=timezone.now(), batch=50):
    print(count, flush=True)
"""


def test_deletion_killed_in_the_middle_has_not_happened(
    simulator: WechatSimulator, leavers: list[dict[str, Any]]
) -> None:
    DeletionRequest.objects.update(due_at=timezone.now())
    users = get_user_model().objects.count()
    with process(simulator, DELETE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "in the middle\n"
        # The others are free while one is being deleted.
        free = DeletionRequest.objects.order_by("due_at", "pk").last()
        assert free is not None
        assert carry_out(pk=free.pk, now=timezone.now()) is Outcome.DELETED
    assert get_user_model().objects.count() == users
    assert WechatIdentity.objects.count() == len(PEOPLE) - 1
    call_command("wxauth_delete_accounts", verbosity=0)
    assert not DeletionRequest.objects.exists()
    assert not WechatIdentity.objects.exists()
    assert AuditEvent.objects.filter(kind="deleted").count() == len(PEOPLE)


def test_purge_killed_in_the_middle_is_gone_on_with(
    simulator: WechatSimulator, make_user: Callable[..., Any]
) -> None:
    user, past = make_user(), timezone.now() - timedelta(days=1)
    sessions = [LoginSession(user=user, expires_at=past, rotated_at=past) for _ in range(20_000)]
    LoginSession.objects.bulk_create(sessions, batch_size=2000)
    with process(simulator, PURGE) as running:
        assert running.stdout is not None
        assert [running.stdout.readline() for _ in range(3)] == ["50\n"] * 3
    left = LoginSession.objects.count()
    assert 0 < left <= 20_000 - 150
    assert left % 50 == 0
    assert sum(purge_sessions(before=timezone.now(), batch=2000)) == left


def test_two_purges_at_once_share_the_work(make_user: Callable[..., Any]) -> None:
    user, past = make_user(), timezone.now() - timedelta(days=1)
    sessions = [LoginSession(user=user, expires_at=past, rotated_at=past) for _ in range(5000)]
    LoginSession.objects.bulk_create(sessions, batch_size=1000)

    def run() -> int:
        return sum(purge_sessions(before=timezone.now(), batch=100))

    assert sum(at_once([closing(run)] * 4)) == 5000
    assert not LoginSession.objects.exists()
