"""Carrying out deletions: what goes, what stays, what forbids it, and in which run."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db.models import ProtectedError, RestrictedError
from django.utils import timezone

from tests.phone import Phone
from wxauth.conf import WechatApp
from wxauth.devices import Device
from wxauth.exceptions import TokenInvalid
from wxauth.models import (
    AuditEvent,
    DeletionRequest,
    LoginSession,
    Merge,
    MergeStep,
    PhoneNumber,
    Referral,
    SmsCode,
)
from wxauth.services import leaving
from wxauth.services.leaving import Outcome, carry_out, due_requests, owned_rows
from wxauth.simulator import WechatSimulator

pytestmark = pytest.mark.django_db

SOMEWHERE = Device(user_agent="a phone", ip_address="192.0.2.1")


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    settings.WXAUTH_DELETION_DELAY = timedelta(0)


@pytest.fixture
def make_phone(wechat_simulator: WechatSimulator, app: WechatApp) -> Callable[[str], Phone]:
    return lambda name: Phone(wechat_simulator, name, app)


@pytest.fixture
def member(make_phone: Callable[[str], Phone]) -> Phone:
    """The phone of somebody who has an account and has just signed in."""
    member = make_phone("bob")
    assert member.sign_in().status_code == 201
    return member


@pytest.fixture
def request_of(member: Phone, make_phone: Any) -> DeletionRequest:
    """The request of a member with a number, a friend who invited, and one who was invited."""
    assert member.bind_phone().status_code == 200
    make_phone("carol").sign_in(referrer=str(member.uid))
    Referral.objects.update(scene="poster at home")
    assert AuditEvent.objects.get(kind="phone_bound").ip_address
    assert member.post("delete_account", {"confirm": True}).status_code == 202
    return DeletionRequest.objects.get()


def protect(user: Any) -> None:
    raise ProtectedError("said the host", {user})


def restrict(user: Any) -> None:
    raise RestrictedError("said the host", {user})


def break_down(user: Any) -> None:
    user.delete()
    raise LookupError("with a secret in it")


def fail_for_some(user: Any) -> None:
    if user.pk == FAILING["pk"]:
        raise LookupError
    user.delete()


FAILING: dict[str, Any] = {}


def test_anonymous_user_keeps_the_key_and_nothing_of_the_person(
    request_of: DeletionRequest,
) -> None:
    user = request_of.user
    before = str(getattr(user, user.USERNAME_FIELD))
    assert carry_out(pk=request_of.pk, now=timezone.now()) is Outcome.DELETED
    user = get_user_model().objects.get(pk=user.pk)
    assert not user.is_active
    assert not user.has_usable_password()
    assert str(getattr(user, user.USERNAME_FIELD) or "") != before or before == "None"
    assert (getattr(user, "first_name", ""), getattr(user, "last_name", "")) == ("", "")
    assert not getattr(user, user.get_email_field_name())
    assert user.last_login is None
    assert [rows.model for rows in owned_rows(user) if rows.exists()] == []
    assert not DeletionRequest.objects.exists()


def test_every_table_of_ours_is_emptied_of_the_user_or_kept_on_purpose(
    request_of: DeletionRequest,
) -> None:
    """A new table with a user is erased without anybody thinking of it, or this test fails."""
    names = {rows.model.__name__ for rows in owned_rows(request_of.user)}
    assert {
        "WechatIdentity",
        "WechatUnion",
        "WechatProfile",
        "PhoneNumber",
        "LoginSession",
    } <= names
    assert {"AuditEvent", "Referral", "DeletionRequest"} & names == set()


def test_audit_trail_keeps_what_and_when(request_of: DeletionRequest) -> None:
    uid = str(request_of.user_id)
    AuditEvent.objects.update(user_agent="a phone")
    carry_out(pk=request_of.pk, now=timezone.now())
    events = list(AuditEvent.objects.filter(user_key=uid).order_by("pk"))
    assert [event.kind for event in events] == ["phone_bound", "deletion_requested", "deleted"]
    assert {(event.user_agent, event.ip_address) for event in events} == {("", None)}
    assert [event.facts for event in events[:2]] == [{}, {}]


def test_addresses_go_from_what_they_did_to_others_and_stay_with_everybody_else(
    request_of: DeletionRequest, make_user: Any
) -> None:
    target, operator = make_user("target"), make_user("operator")
    for actor in (request_of.user, operator):
        AuditEvent.objects.record("merged", user=target, actor=actor, device=SOMEWHERE)
    carry_out(pk=request_of.pk, now=timezone.now())
    found = {event.actor_key: event for event in AuditEvent.objects.filter(user=target)}
    assert found[str(request_of.user_id)].user_agent == ""
    assert found[str(request_of.user_id)].ip_address is None
    left = found[str(operator.pk)]
    assert (left.user_agent, left.ip_address) == (SOMEWHERE.user_agent, SOMEWHERE.ip_address)


def test_steps_of_their_merges_are_forgotten_and_those_of_others_are_not(
    request_of: DeletionRequest, make_user: Any
) -> None:
    user, other, third = request_of.user, make_user("other"), make_user("third")
    for winner, loser in ((user, other), (other, user), (other, third)):
        merge = Merge.objects.create(
            winner=winner,
            winner_key=winner.pk,
            loser=loser,
            loser_key=loser.pk,
            confirmed_by=winner,
        )
        MergeStep.objects.create(merge=merge, kind=MergeStep.Kind.REMOVED, data={"number": "+861"})
    assert carry_out(pk=request_of.pk, now=timezone.now()) is Outcome.DELETED
    step = MergeStep.objects.get()
    assert (step.merge.winner, step.merge.loser, step.merge.confirmed_by) == (other, third, other)
    gone = Merge.objects.exclude(pk=step.merge_id)
    people = [one for each in gone for one in (each.winner, each.loser, each.confirmed_by)]
    assert user not in people


def test_who_asked_before_with_days_of_grace_can_still_go_at_once(
    member: Phone, make_user: Any
) -> None:
    session, now = LoginSession.objects.get(), timezone.now()
    later = now + timedelta(days=15)
    for user in (session.user, make_user("other")):
        DeletionRequest.objects.ask(user, source="user", now=now, due_at=later)
    assert leaving.delete_now(session=session) is Outcome.DELETED
    assert DeletionRequest.objects.get().due_at == later, "the other's own"


@pytest.mark.parametrize("leave", [leaving.request_deletion, leaving.delete_now])
def test_user_who_was_switched_off_meanwhile_asks_for_nothing(member: Phone, leave: Any) -> None:
    session = LoginSession.objects.select_related("user").get()
    get_user_model().objects.update(is_active=False)
    with pytest.raises(TokenInvalid):
        leave(session=session)
    assert not DeletionRequest.objects.exists()


def test_codes_to_their_number_go_and_those_to_another_stay(
    request_of: DeletionRequest, make_phone: Any
) -> None:
    carol = make_phone("carol")
    assert carol.sign_in().status_code == 200
    assert carol.bind_phone().status_code == 200
    now = timezone.now()
    for phone in PhoneNumber.objects.all():
        SmsCode.objects.create(number=phone.number, purpose="login", sent_at=now, expires_at=now)
    carry_out(pk=request_of.pk, now=now)
    assert SmsCode.objects.get().number == PhoneNumber.objects.get().number


def test_tree_of_invitations_stays_whole(request_of: DeletionRequest) -> None:
    carry_out(pk=request_of.pk, now=timezone.now())
    assert Referral.objects.get().referrer_id == request_of.user_id


def test_erased_user_is_gone_with_all_rows(request_of: DeletionRequest, settings: Any) -> None:
    settings.WXAUTH_ERASE_USER = "wxauth.erasure.erase"
    uid = str(request_of.user_id)
    assert carry_out(pk=request_of.pk, now=timezone.now()) is Outcome.DELETED
    assert get_user_model().objects.count() == 1
    assert Referral.objects.get().referrer_id is None
    assert not DeletionRequest.objects.exists()
    deleted = AuditEvent.objects.get(kind="deleted")
    assert (deleted.user_id, deleted.user_key) == (None, uid)


def test_user_whom_the_project_protects_stays_whole_and_says_why(
    request_of: DeletionRequest,
    settings: Any,
    member: Phone,
    caplog: Any,
) -> None:
    settings.WXAUTH_ERASE_USER = f"{__name__}.protect"
    before = {rows.model.__name__: rows.count() for rows in owned_rows(request_of.user)}
    assert before["PhoneNumber"] == before["WechatIdentity"] == 1
    assert carry_out(pk=request_of.pk, now=timezone.now()) is Outcome.FAILED
    request_of.refresh_from_db()
    assert "ProtectedError" in request_of.error
    assert get_user_model()._meta.label in request_of.error
    assert request_of.failed_at is not None
    assert {rows.model.__name__: rows.count() for rows in owned_rows(request_of.user)} == before
    assert [r.levelname for r in caplog.records if r.name == "wxauth.leaving"] == ["ERROR"]
    settings.WXAUTH_ERASE_USER = "wxauth.erasure.anonymise"
    assert carry_out(pk=request_of.pk, now=timezone.now()) is Outcome.DELETED


def test_rows_that_restrict_are_told_as_those_that_protect(
    request_of: DeletionRequest, settings: Any
) -> None:
    settings.WXAUTH_ERASE_USER = f"{__name__}.restrict"
    assert carry_out(pk=request_of.pk, now=timezone.now()) is Outcome.FAILED
    request_of.refresh_from_db()
    assert request_of.error.startswith("RestrictedError: rows of")


def test_eraser_that_breaks_down_leaves_everything(
    request_of: DeletionRequest, settings: Any
) -> None:
    settings.WXAUTH_ERASE_USER = f"{__name__}.break_down"
    assert carry_out(pk=request_of.pk, now=timezone.now()) is Outcome.FAILED
    request_of.refresh_from_db()
    assert request_of.error == "LookupError"
    assert get_user_model().objects.filter(pk=request_of.user_id).exists()


def test_request_is_not_due_before_its_time(request_of: DeletionRequest) -> None:
    later = request_of.due_at + timedelta(days=1)
    DeletionRequest.objects.update(due_at=later)
    now = timezone.now()
    assert due_requests(now=now) == []
    assert carry_out(pk=request_of.pk, now=now) is Outcome.NOT_THERE
    assert due_requests(now=later) == [request_of.pk]


def test_person_with_an_open_session_has_come_back(
    request_of: DeletionRequest,
    member: Phone,
) -> None:
    """A sign-in that began before the request, and ended after it."""
    LoginSession.objects.filter(user=request_of.user_id).update(revoked_at=None)
    assert carry_out(pk=request_of.pk, now=timezone.now()) is Outcome.CAME_BACK
    assert not DeletionRequest.objects.exists()
    assert AuditEvent.objects.latest("pk").kind == "deletion_cancelled"
    assert member.client.get("/api/me").status_code == 200


def test_operator_can_withdraw_a_request(request_of: DeletionRequest, make_user: Any) -> None:
    operator = make_user()
    assert leaving.withdraw_deletion(request=request_of, actor=operator) is True
    assert leaving.withdraw_deletion(request=request_of, actor=operator) is False
    event = AuditEvent.objects.get(kind="deletion_cancelled")
    assert (event.user_id, event.actor_id) == (request_of.user_id, operator.pk)


def test_command_goes_on_after_a_failure_and_says_so(
    make_phone: Any,
    settings: Any,
    capsys: Any,
) -> None:
    phones = [make_phone(f"person {n}") for n in range(3)]
    for phone in phones:
        phone.sign_in()
        phone.post("delete_account", {"confirm": True})
    settings.WXAUTH_ERASE_USER = f"{__name__}.fail_for_some"
    users = get_user_model().objects.order_by("wxauth_deletion__due_at")
    FAILING["pk"] = users[0].pk
    with pytest.raises(CommandError, match="1 accounts"):
        call_command("wxauth_delete_accounts")
    assert "2 deleted, 0 came back, 0 not there, 1 failed" in capsys.readouterr().out
    assert [user.pk for user in get_user_model().objects.all()] == [FAILING["pk"]]


def test_command_without_work_is_content(capsys: Any) -> None:
    call_command("wxauth_delete_accounts")
    assert "0 deleted" in capsys.readouterr().out
    call_command("wxauth_delete_accounts", verbosity=0)
    assert capsys.readouterr() == ("", "")
