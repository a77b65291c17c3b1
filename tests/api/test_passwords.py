"""POST set_password, reset_password and login_password."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

import pytest
import time_machine
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.api.answers import check_refusal, row_counts
from tests.api.sms import NUMBER, OTHER_PASSWORD, PASSWORD, TYPED, Line, wrong
from tests.conftest import empty_caches
from tests.phone import Phone
from wxauth import services
from wxauth.backends import WechatBackend
from wxauth.models import (
    AuditEvent,
    DeletionRequest,
    LoginSession,
    PhoneNumber,
    SmsCode,
    WechatIdentity,
)
from wxauth.sms.base import SmsMessage

NOON = datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
User = get_user_model()

pytestmark = pytest.mark.django_db


class CountingHasher(MD5PasswordHasher):
    """Counts how often a password is hashed."""

    runs = 0

    def encode(self, password: str, salt: str) -> str:
        type(self).runs += 1
        return super().encode(password, salt)


class BusyHasher(CountingHasher):
    """Something happens while a password is hashed, which is in no transaction."""

    meanwhile: ClassVar[Callable[[], Any]]

    def encode(self, password: str, salt: str) -> str:
        type(self).meanwhile()
        return super().encode(password, salt)


class OldHasher(MD5PasswordHasher):
    """A way to hash that the project gives up."""

    algorithm = "old"


@pytest.fixture(autouse=True)
def _counting_hasher(settings: Any) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]


class NobodyMayEnter(WechatBackend):
    """A project that bans people by its own means."""

    def user_can_authenticate(self, user: Any) -> bool:
        return False


class SlowBackend(WechatBackend):
    """Somebody replaces the password after it was found right, before the session is opened."""

    def authenticate(self, request: Any, **credentials: Any) -> Any:
        found = super().authenticate(request, **credentials)
        user = User.objects.get()
        user.set_password(OTHER_PASSWORD)
        user.save()
        return found


@pytest.fixture
def line(outbox: list[SmsMessage]) -> Line:
    """The line of somebody who has an account and no password, and is signed in."""
    line = Line(outbox)
    line.register()
    SmsCode.objects.all().delete()
    return line


@pytest.fixture
def owner(line: Line) -> Line:
    """The line of somebody who has an account and a password, and is signed in."""
    assert line.set_password().status_code == 204
    return line


@pytest.fixture
def stranger(outbox: list[SmsMessage]) -> Line:
    """A line without an account."""
    return Line(outbox, "17400000010")


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def is_signed_in(line: Line) -> bool:
    return line.client.get("/api/me").status_code == 200


# set_password


def test_password_that_was_set_signs_in(line: Line, outbox: Any) -> None:
    answer = line.set_password()
    assert (answer.status_code, answer.content) == (204, b"")
    other = Line(outbox)
    answer = other.login_password(app="second")
    assert (answer.status_code, answer.json()["registered"]) == (200, False)
    session = LoginSession.objects.get(app="second")
    assert session.identity is None
    assert str(session.user_id) == str(answer.json()["uid"])


def test_password_is_hashed_by_django_and_written_down(owner: Line) -> None:
    user = User.objects.get()
    assert user.check_password(PASSWORD)
    assert PASSWORD not in user.password
    (event,) = AuditEvent.objects.filter(kind=AuditEvent.Kind.PASSWORD_CHANGED)
    assert (event.user, event.actor, event.facts) == (user, user, {"by": "self"})


def test_new_password_ends_the_other_sessions(owner: Line, outbox: Any, received: Any) -> None:
    """Incident 19: tokens outlived a change of the password."""
    other = Line(outbox)
    other.login_password()
    with received("user_logged_out") as heard:
        assert owner.set_password(OTHER_PASSWORD).status_code == 204
    assert is_signed_in(owner)
    assert not is_signed_in(other)
    assert len(heard["user_logged_out"]) == 1
    check_refusal(other.login_password(), 400, "password_login_failed")
    assert other.login_password(OTHER_PASSWORD).status_code == 200


@pytest.mark.parametrize("fields", [None, ["password"]])
def test_password_that_other_code_changes_ends_all_sessions(
    owner: Line, received: Any, fields: Any
) -> None:
    """Incident 19, whoever changes it: the admin, Django's pages, allauth's."""
    user = User.objects.get()
    user.set_password(OTHER_PASSWORD)
    with received("user_logged_out") as heard:
        user.save(update_fields=fields)
    assert not is_signed_in(owner)
    assert [str(call["user"].pk) for call in heard["user_logged_out"]] == [str(user.pk)]
    assert owner.login_password(OTHER_PASSWORD).status_code == 200
    user.save()
    assert is_signed_in(owner)


@pytest.mark.standard_user
def test_password_that_the_admin_changes_ends_all_sessions(owner: Line, admin_client: Any) -> None:
    user = User.objects.get(is_superuser=False)
    fields = {"password1": "a new one 2048", "password2": "a new one 2048"}
    address = f"/admin/auth/user/{user.pk}/password/"
    answer = admin_client.post(address, {**fields, "usable_password": "true"})
    assert (answer.status_code, is_signed_in(owner)) == (302, False)


def test_hash_that_is_renewed_by_a_sign_in_ends_no_session(owner: Line, settings: Any) -> None:
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        f"{__name__}.OldHasher",
    ]
    User.objects.update(password=OldHasher().encode(PASSWORD, "salt"))
    other = Line(owner.outbox)
    assert other.login_password().status_code == 200
    assert User.objects.get().password.startswith("md5$")
    assert is_signed_in(owner)


def test_password_that_is_not_changed_after_all_ends_no_session(owner: Line) -> None:
    user = User.objects.get()
    user.set_password(OTHER_PASSWORD)
    with transaction.atomic():
        user.save()
        transaction.set_rollback(True)
    assert is_signed_in(owner)


def test_session_that_is_old_cannot_set_a_password(line: Line) -> None:
    LoginSession.objects.update(created_at=LONG_AGO)
    check_refusal(line.set_password(), 403, "fresh_sign_in_required")
    assert not User.objects.get().has_usable_password()


def test_session_that_is_old_can_by_a_fresh_code(line: Line) -> None:
    LoginSession.objects.update(created_at=LONG_AGO)
    code = line.code("reset_password")
    check_refusal(line.set_password(sms_code=wrong(code)), 400, "sms_code_invalid")
    assert line.set_password(sms_code=code).status_code == 204
    check_refusal(line.set_password(sms_code=code), 400, "sms_code_invalid")
    event = AuditEvent.objects.get(kind=AuditEvent.Kind.PASSWORD_CHANGED)
    assert event.facts == {"by": "sms"}


def test_code_of_another_number_does_not_set_a_password(line: Line, stranger: Line) -> None:
    LoginSession.objects.update(created_at=LONG_AGO)
    line.ask("reset_password")
    code = stranger.code("reset_password")
    if code != line.outbox[-2].sms_code:
        check_refusal(line.set_password(sms_code=code), 400, "sms_code_invalid")


def test_user_without_a_number_cannot_set_a_password(member: Phone) -> None:
    body = check_refusal(member.post("set_password", {"password": PASSWORD}), 409, "phone_required")
    assert body["action"] == "bind_phone"


def test_nobody_sets_a_password_without_a_token(api: Any) -> None:
    check_refusal(api.post("/api/set_password", {"password": PASSWORD}), 401)


WEAK = ["", "   ", "short", "password", "12345678", "0987654321", "8305719264"]


@pytest.mark.parametrize("password", WEAK)
def test_weak_password_is_refused_in_a_project_without_rules(line: Line, password: str) -> None:
    """Incident 17: a blank password could be used."""
    body = check_refusal(line.set_password(password), 400)
    assert body["code"] in {"password_refused", "invalid_input"}
    assert body["fields"]["password"]
    assert not User.objects.get().has_usable_password()


def test_rules_of_the_project_count(line: Line, settings: Any) -> None:
    rule = "django.contrib.auth.password_validation.MinimumLengthValidator"
    settings.AUTH_PASSWORD_VALIDATORS = [{"NAME": rule, "OPTIONS": {"min_length": 40}}]
    body = check_refusal(line.set_password(), 400, "password_refused")
    assert "40" in body["fields"]["password"][0]
    code = line.code("reset_password")
    fields = {"phone": TYPED, "sms_code": code}
    check_refusal(line.post("reset_password", password=PASSWORD, **fields), 400)
    assert line.post("reset_password", password="x" * 40, **fields).status_code == 204


def test_password_is_taken_to_the_letter(line: Line) -> None:
    password = "  a 密码 with spaces 🙂 "
    assert line.set_password(password).status_code == 204
    check_refusal(line.login_password(password.strip()), 400, "password_login_failed")
    assert line.login_password(password).status_code == 200


# reset_password


def test_forgotten_password_is_replaced_by_a_code(owner: Line, outbox: Any) -> None:
    code = owner.code("reset_password")
    forgetful = Line(outbox)
    fields = {"phone": TYPED, "password": OTHER_PASSWORD}
    check_refusal(forgetful.post("reset_password", sms_code=wrong(code), **fields), 400)
    answer = forgetful.post("reset_password", sms_code=code, **fields)
    assert (answer.status_code, answer.content) == (204, b"")
    assert not is_signed_in(owner), "all sessions end"
    check_refusal(forgetful.login_password(), 400, "password_login_failed")
    assert forgetful.login_password(OTHER_PASSWORD).status_code == 200
    check_refusal(forgetful.post("reset_password", sms_code=code, **fields), 400)


def test_reset_of_an_unknown_number_tells_so_only_after_the_proof(stranger: Line) -> None:
    """Incident 22."""
    code = stranger.code("reset_password")
    fields = {"phone": stranger.number, "password": PASSWORD}
    check_refusal(
        stranger.post("reset_password", sms_code=wrong(code), **fields), 400, "sms_code_invalid"
    )
    check_refusal(stranger.post("reset_password", sms_code=code, **fields), 404, "not_registered")


def test_reset_does_not_let_an_inactive_user_in(owner: Line) -> None:
    """Incident 1."""
    User.objects.update(is_active=False)
    code = owner.code("reset_password")
    answer = owner.post("reset_password", phone=TYPED, sms_code=code, password=OTHER_PASSWORD)
    check_refusal(answer, 403, "user_inactive")
    assert User.objects.get().check_password(PASSWORD)


def test_weak_password_is_refused_whatever_the_code_and_the_number_are(
    owner: Line, stranger: Line
) -> None:
    for line in (owner, stranger):
        code = line.code("reset_password")
        fields = {"phone": line.number, "password": "12345678"}
        for sms_code in (wrong(code), code):
            answer = line.post("reset_password", sms_code=sms_code, **fields)
            check_refusal(answer, 400, "password_refused")


def test_reset_knows_the_rules_that_look_at_the_user(line: Line, settings: Any) -> None:
    settings.AUTH_PASSWORD_VALIDATORS = [
        {"NAME": f"django.contrib.auth.password_validation.{name}"}
        for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator")
    ]
    User.objects.update(email="rumpelstiltskin@example.com")
    fields = {"phone": TYPED, "sms_code": line.code("reset_password")}
    answer = line.post("reset_password", password="rumpelstiltskin", **fields)
    check_refusal(answer, 400, "password_refused")
    assert line.post("reset_password", password=PASSWORD, **fields).status_code == 204


def test_number_that_changes_hands_during_the_reset_opens_nobodys_account(
    owner: Line, make_user: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, code = make_user("other"), owner.code("reset_password")
    settings.PASSWORD_HASHERS = [f"{__name__}.BusyHasher"]
    move = partial(PhoneNumber.objects.update, user=other)
    monkeypatch.setattr(BusyHasher, "meanwhile", move, raising=False)
    answer = owner.post("reset_password", phone=TYPED, sms_code=code, password=OTHER_PASSWORD)
    check_refusal(answer, 404, "not_registered")
    monkeypatch.setattr(BusyHasher, "meanwhile", lambda: None)
    assert not any(user.check_password(OTHER_PASSWORD) for user in User.objects.all())


@pytest.mark.parametrize(
    ("route", "status", "code"),
    [("set_password", 401, "token_invalid"), ("reset_password", 403, "user_inactive")],
)
def test_user_who_is_switched_off_meanwhile_keeps_the_old_password(
    owner: Line, settings: Any, monkeypatch: pytest.MonkeyPatch, route: str, status: int, code: str
) -> None:
    sms_code, before = owner.code("reset_password"), User.objects.get().password
    settings.PASSWORD_HASHERS = [f"{__name__}.BusyHasher"]
    ban = partial(User.objects.update, is_active=False)
    monkeypatch.setattr(BusyHasher, "meanwhile", ban, raising=False)
    fields = {"phone": TYPED} if route == "reset_password" else {}
    answer = owner.post(route, sms_code=sms_code, password=OTHER_PASSWORD, **fields)
    check_refusal(answer, status, code)
    assert User.objects.get().password == before


# login_password


def refused(line: Line, password: str = OTHER_PASSWORD) -> tuple[Any, int, int]:
    """Return body, number of hashes and number of audit rows of an attempt that must fail."""
    rows, CountingHasher.runs = AuditEvent.objects.count(), 0
    body = check_refusal(line.login_password(password), 400, "password_login_failed")
    return body, CountingHasher.runs, AuditEvent.objects.count() - rows


def test_every_refusal_looks_and_takes_the_same(owner: Line, stranger: Line, settings: Any) -> None:
    """Incident 22: accounts were found by the answer, or by its time."""
    attempts = [refused(owner), refused(stranger)]
    User.objects.update(is_active=False)
    attempts += [refused(owner), refused(owner, PASSWORD)]
    User.objects.update(is_active=True)
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.NobodyMayEnter"]
    attempts += [refused(owner, PASSWORD)]
    user = User.objects.get()
    user.set_unusable_password()
    user.save()
    attempts += [refused(owner)]
    assert {repr(attempt[0]) for attempt in attempts} == {repr(attempts[0][0])}
    assert [attempt[1] for attempt in attempts] == [1] * 6
    # Once in an hour for each number, bound or not.
    assert [attempt[2] for attempt in attempts] == [1, 1, 0, 0, 0, 0]
    with CaptureQueriesContext(connection) as known:
        refused(owner)
    with CaptureQueriesContext(connection) as unknown:
        refused(stranger)
    assert len(known) == len(unknown)


def test_refusal_is_written_down_without_password_or_number(owner: Line, stranger: Line) -> None:
    for _ in range(2):
        owner.login_password(OTHER_PASSWORD)
        stranger.login_password()
    events = AuditEvent.objects.filter(kind=AuditEvent.Kind.SIGN_IN_REFUSED).order_by("pk")
    assert [event.user for event in events] == [User.objects.get(), None]
    assert [event.facts for event in events] == [
        {"by": "password", "phone": "+86174****0009"},
        {"by": "password", "phone": "+86174****0010"},
    ]


@pytest.mark.parametrize("password", ["", None, " ", "!", "None", "null"])
def test_account_without_a_password_has_none_that_is_good(line: Line, password: Any) -> None:
    """Incident 17."""
    check_refusal(line.login_password(password), 400)
    stored = User.objects.get().password
    check_refusal(line.login_password(stored), 400, "password_login_failed")


def test_openid_is_no_password_of_a_number(member: Phone, outbox: Any) -> None:
    """Incident 41."""
    assert member.bind_phone().status_code == 200
    number = PhoneNumber.objects.get().number
    user = User.objects.get()
    for text in (member.openid, number, str(user.pk), user.get_username() or user.password):
        check_refusal(Line(outbox, number).login_password(text), 400, "password_login_failed")


def test_gate_of_the_project_is_asked_after_the_password(owner: Line, settings: Any) -> None:
    """Incident 18: an own password check after ``authenticate()`` had said no."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.NobodyMayEnter"]
    sessions = LoginSession.objects.count()
    check_refusal(owner.login_password(), 400, "password_login_failed")
    assert LoginSession.objects.count() == sessions


def test_backend_takes_number_and_password_beside_djangos_own(owner: Line, make_user: Any) -> None:
    user = User.objects.get()
    assert authenticate(None, wxauth_phone=NUMBER, password=PASSWORD) == user
    assert authenticate(None, wxauth_phone=NUMBER, password=OTHER_PASSWORD) is None
    assert authenticate(None, wxauth_phone=TYPED, password=PASSWORD) is None, "E.164 only"
    assert authenticate(None, username=NUMBER, password=PASSWORD) is None
    for phone in (None, 5, ""):
        assert authenticate(None, wxauth_phone=phone, password=PASSWORD) is None
    admin = make_user("paula", password=PASSWORD)
    assert authenticate(None, username=admin.get_username(), password=PASSWORD) == admin


def test_without_our_backend_no_password_is_good(owner: Line, settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
    check_refusal(owner.login_password(), 400, "password_login_failed")


def test_attempts_at_a_number_are_limited_across_addresses(
    owner: Line, settings: Any, clock: Any
) -> None:
    """Incidents 20 and 21: no reset by a success, another address or another spelling."""
    settings.WXAUTH_ATTEMPT_LIMITS = {"password_number": 5}
    for index, typed in enumerate([TYPED, NUMBER, f" {TYPED} ", "174-0000-0009"]):
        owner.client.defaults["REMOTE_ADDR"] = f"203.0.113.{index}"
        owner.number = typed
        check_refusal(owner.login_password(OTHER_PASSWORD), 400, "password_login_failed")
    assert owner.login_password().status_code == 200
    empty_caches()
    CountingHasher.runs = 0
    answer = owner.login_password()
    body = check_refusal(answer, 429, "too_many_attempts")
    assert (body["action"], CountingHasher.runs) == ("wait", 0)
    assert answer["Retry-After"] == str(3600 - 10 + 1)
    clock.shift(3600 - 10)
    assert owner.login_password().status_code == 200


def test_unknown_number_is_limited_as_a_known_one(stranger: Line, settings: Any) -> None:
    """Incident 22: else the limit would tell."""
    settings.WXAUTH_ATTEMPT_LIMITS = {"password_number": 1}
    check_refusal(stranger.login_password(), 400, "password_login_failed")
    check_refusal(stranger.login_password(), 429, "too_many_attempts")


def test_attempts_of_an_address_are_limited_across_numbers(outbox: Any, settings: Any) -> None:
    settings.WXAUTH_ATTEMPT_LIMITS = {"password_address": 3}
    lines = [Line(outbox, f"174000001{index:02}") for index in range(5)]
    for index, line in enumerate(lines):
        line.client.defaults["REMOTE_ADDR"] = f"2001:db8::{index + 1}"
    answers = [line.login_password().status_code for line in lines]
    assert answers == [400, 400, 400, 429, 429]
    lines[4].client.defaults["REMOTE_ADDR"] = "2001:db8:1::1"
    assert lines[4].login_password().status_code == 400


def test_nonsense_number_costs_no_hash(owner: Line) -> None:
    CountingHasher.runs = 0
    owner.number = "12345"
    check_refusal(owner.login_password(), 400, "phone_input_invalid")
    assert CountingHasher.runs == 0


def test_password_is_in_no_log_record(owner: Line, caplog: Any) -> None:
    with caplog.at_level("DEBUG"):
        owner.login_password()
        owner.login_password(OTHER_PASSWORD)
        owner.set_password(OTHER_PASSWORD)
    assert PASSWORD not in caplog.text
    assert OTHER_PASSWORD not in caplog.text


# With a ticket


def test_identity_is_attached_by_the_password(owner: Line, make_phone: Any) -> None:
    alice = make_phone("alice")
    ticket = alice.ticket()
    check_refusal(owner.login_password(OTHER_PASSWORD, ticket=ticket), 400)
    assert not WechatIdentity.objects.exists()
    answer = owner.login_password(ticket=ticket)
    assert answer.status_code == 200
    identity = WechatIdentity.objects.get()
    assert str(identity.user_id) == str(answer.json()["uid"])
    assert alice.sign_in("login").json()["uid"] == answer.json()["uid"]
    assert owner.login_password().status_code == 200, "the password was the proof, and stays"
    check_refusal(owner.login_password(ticket=ticket), 400, "ticket_invalid")
    event = AuditEvent.objects.get(kind=AuditEvent.Kind.WECHAT_BOUND)
    assert event.facts == {"by": "password", "identity": identity.pk}


def test_sessions_and_password_stay_when_the_password_was_the_proof(
    owner: Line, outbox: Any, make_phone: Any
) -> None:
    answer = Line(outbox).login_password(ticket=make_phone("alice").ticket())
    assert answer.json()["linked"] is True
    assert is_signed_in(owner)
    kinds = AuditEvent.objects.filter(kind=AuditEvent.Kind.PASSWORD_CHANGED)
    assert kinds.count() == 1, "set by the owner"


@pytest.mark.parametrize("with_ticket", [False, True])
def test_password_that_is_replaced_during_the_sign_in_opens_nothing(
    owner: Line, settings: Any, make_phone: Any, with_ticket: bool
) -> None:
    fields = {"ticket": make_phone("alice").ticket()} if with_ticket else {}
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.SlowBackend"]
    rows = row_counts()
    check_refusal(owner.login_password(**fields), 400, "password_login_failed")
    assert row_counts() == rows


def test_sign_in_by_password_calls_the_deletion_off(owner: Line) -> None:
    assert owner.post("delete_account", confirm=True).status_code < 300
    assert owner.login_password().json()["deletion_cancelled"] is True
    assert not DeletionRequest.objects.exists()


def test_user_with_another_identity_is_a_conflict(owner: Line, make_phone: Any) -> None:
    owner.login_password(ticket=make_phone("alice").ticket())
    carol = make_phone("carol")
    ticket = carol.ticket()
    before = row_counts()
    check_refusal(owner.login_password(ticket=ticket), 409, "phone_taken")
    assert sum(row_counts().values()) == sum(before.values()) + 1, "an audit event"
    assert AuditEvent.objects.filter(kind=AuditEvent.Kind.PHONE_CONFLICT).count() == 1
    assert carol.sign_in("register_simple", ticket=ticket).status_code == 201


def test_person_who_is_another_user_is_a_conflict(owner: Line, make_phone: Any) -> None:
    alice = make_phone("alice")
    ticket = alice.ticket()
    uid = alice.sign_in("authorize").json()["uid"]
    body = check_refusal(owner.login_password(ticket=ticket), 409, "phone_taken")
    assert body["choices"] == ["use_another_number", "sign_in_to_other_account"]
    assert WechatIdentity.objects.get().user_id == User.objects.get(pk=uid).pk


def test_ticket_of_a_person_who_is_the_user_already_signs_in(owner: Line, make_phone: Any) -> None:
    alice = make_phone("alice")
    tickets = [alice.ticket(), alice.ticket()]
    uids = {owner.login_password(ticket=ticket).json()["uid"] for ticket in tickets}
    assert len(uids) == 1
    assert WechatIdentity.objects.count() == 1


def test_services_take_the_same_for_the_hosts_own_code(owner: Line) -> None:
    result = services.login_by_password(phone=TYPED, password=PASSWORD)
    services.set_password(session=result.session, password=OTHER_PASSWORD)
    assert services.login_by_password(phone=TYPED, password=OTHER_PASSWORD).user == result.user
