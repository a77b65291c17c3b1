"""What is written down of an account, what is not, and how it is forgotten."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.phone import Phone
from wxauth import session_keys
from wxauth.conf import WechatApp
from wxauth.exceptions import UserInactive
from wxauth.models import AuditEvent, LoginSession, WechatIdentity
from wxauth.services import audit
from wxauth.simulator import WechatSimulator

pytestmark = pytest.mark.django_db

Kind = AuditEvent.Kind
User = get_user_model()
DEVICE = {"user-agent": "MicroMessenger/8.0.50 \x07" + "x" * 300}


@pytest.fixture
def make_phone(db: None, wechat_simulator: WechatSimulator, app: WechatApp) -> Any:
    def make_phone(name: str = "alice", in_app: WechatApp = app) -> Phone:
        return Phone(wechat_simulator, name, in_app)

    return make_phone


@pytest.fixture
def member(make_phone: Any) -> Phone:
    member = make_phone()
    assert member.sign_in().status_code == 201
    return member


def events(kind: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(kind=kind).order_by("pk"))


def ban(phone: Phone) -> None:
    User._default_manager.filter(pk=phone.uid).update(is_active=False)


# What is written down


def test_plain_sign_ins_are_not_in_the_trail(member: Phone) -> None:
    for route in ("login", "authorize", "register_simple"):
        member.sign_in(route)
    member.post("refresh_token", {"refresh": member.tokens["refresh"]})
    member.post("logout")
    assert not AuditEvent.objects.exists()


def test_bound_phone_is_recorded_with_the_device(member: Phone) -> None:
    body = {"phone_code": member.phone_button()["code"]}
    assert member.post("bind_phone", body, **DEVICE).status_code == 200
    [event] = events(Kind.PHONE_BOUND)
    assert str(event.user_id) == str(event.actor_id) == str(member.uid)
    assert event.user_key == event.actor_key == str(member.uid)
    assert (event.app, event.ip_address) == ("default", "127.0.0.1")
    assert event.user_agent == ("MicroMessenger/8.0.50 " + "x" * 300)[:256]
    assert event.facts["source"] == "phone_code"
    assert event.facts["replaced"] is None
    assert "****" in event.facts["phone"]


def test_number_that_replaces_another_tells_so(member: Phone) -> None:
    first = member.bind_phone().json()["phone"]
    member.simulator.user(member.name).phone_number = "13900139000"
    data = member.phone_button()
    assert member.post("bind_phone", {n: data[n] for n in ("encryptedData", "iv")}).status_code
    facts = events(Kind.PHONE_BOUND)[1].facts
    assert facts["source"] == "encrypted_data"
    assert facts["replaced"] == f"{first[:-8]}****{first[-4:]}"
    assert facts["phone"] == "+86139****9000"


def test_number_of_another_user_is_a_conflict_once_an_hour(member: Phone, make_phone: Any) -> None:
    member.bind_phone()
    other = make_phone("bob")
    other.sign_in()
    number = member.phone_button()["purePhoneNumber"]
    other.simulator.user("bob").phone_number = number
    for _ in range(3):
        assert other.bind_phone().status_code == 409
    [event] = events(Kind.PHONE_CONFLICT)
    assert str(event.user_id) == str(other.uid)
    assert event.ip_address == "127.0.0.1"
    assert number not in json.dumps(event.facts)


@pytest.mark.parametrize("route", ["login", "register_simple", "register_complex", "authorize"])
def test_refused_sign_in_stays_though_its_transaction_is_undone(member: Phone, route: str) -> None:
    ban(member)
    body = {}
    if route == "register_complex":
        body = {"code": member.code(), **member.open_data()}
    assert member.sign_in(route, **body).status_code == 403
    [event] = events(Kind.SIGN_IN_REFUSED)
    assert event.user_key == str(member.uid)
    assert (event.app, event.ip_address) == ("default", "127.0.0.1")
    assert event.facts == {"reason": "user_inactive"}
    assert LoginSession.objects.count() == 1, "the one of before the ban"


def test_refused_sign_in_with_a_new_identity_leaves_no_identity(
    member: Phone, make_phone: Any, other_app: WechatApp
) -> None:
    ban(member)
    assert make_phone(member.name, other_app).sign_in("login").status_code == 403
    [event] = events(Kind.SIGN_IN_REFUSED)
    assert (event.user_key, event.app) == (str(member.uid), "second")
    assert WechatIdentity.objects.count() == 1


def test_banned_client_in_a_loop_is_one_row_an_hour(member: Phone) -> None:
    ban(member)
    for _ in range(5):
        assert member.sign_in("login").status_code == 403
    [event] = events(Kind.SIGN_IN_REFUSED)
    AuditEvent.objects.filter(pk=event.pk).update(at=timezone.now() - timedelta(minutes=61))
    for _ in range(5):
        assert member.sign_in("authorize").status_code == 403
    assert len(events(Kind.SIGN_IN_REFUSED)) == 2


def test_refusals_of_two_users_are_two_rows(member: Phone, make_phone: Any) -> None:
    other = make_phone("bob")
    other.sign_in()
    for phone in (member, other):
        ban(phone)
        phone.sign_in("login")
    assert {event.user_key for event in events(Kind.SIGN_IN_REFUSED)} == {
        str(member.uid),
        str(other.uid),
    }


def test_refusal_by_djangos_authenticate_is_recorded(member: Phone) -> None:
    ban(member)
    for _ in range(2):
        assert authenticate(None, wechat_code=member.code()) is None
    [event] = events(Kind.SIGN_IN_REFUSED)
    assert (event.user_key, event.app) == (str(member.uid), "default")


def test_refusal_of_nobody_known_is_raised_and_not_recorded() -> None:
    with pytest.raises(UserInactive), audit.refusals(device=audit.NOWHERE, app=""):
        raise UserInactive()
    assert not AuditEvent.objects.exists()


def test_refusal_of_a_user_who_is_gone_is_not_recorded(make_user: Any) -> None:
    user = make_user()
    User._default_manager.filter(pk=user.pk).delete()
    audit.record_refusal(Kind.SIGN_IN_REFUSED, user=user)
    assert not AuditEvent.objects.exists()


def test_union_conflict_is_recorded_once(
    member: Phone, make_phone: Any, other_app: WechatApp
) -> None:
    person = member.simulator.user("carol")
    person.unionid_hidden = True
    here, there = make_phone("carol"), make_phone("carol", other_app)
    here.sign_in(), there.sign_in()
    person.unionid_hidden = False
    there.sign_in("login")
    for _ in range(3):
        assert here.sign_in("login").json()["union_conflict"] is True
    [event] = events(Kind.UNION_CONFLICT)
    assert (event.user_key, event.app) == (str(here.uid), "default")
    assert event.ip_address == "127.0.0.1"
    identity = WechatIdentity.objects.get(user_id=here.uid)
    assert event.facts == {"identity": identity.pk, "holder": str(there.uid)}


def test_event_outlives_its_user(member: Phone) -> None:
    member.bind_phone()
    User._default_manager.get(pk=member.uid).delete()
    [event] = events(Kind.PHONE_BOUND)
    assert (event.user, event.actor, event.user_key) == (None, None, str(member.uid))


def test_no_secret_is_in_any_fact(member: Phone, make_phone: Any, other_app: WechatApp) -> None:
    """Each thing that writes an event, and then all that nobody may read there."""
    simulator = member.simulator
    secrets = {member.tokens[name] for name in ("access", "refresh")}
    numbers = set()

    def bind(phone: Phone, **body: str) -> None:
        button = phone.phone_button()
        numbers.add(button["purePhoneNumber"])
        secrets.update(button[name] for name in ("code", "encryptedData", "iv"))
        body = body or {"phone_code": button["code"]}
        phone.post("bind_phone", {name: button.get(name, value) for name, value in body.items()})

    bind(member)
    bind(member, encryptedData="", iv="")
    other = make_phone("bob")
    other.sign_in()
    simulator.user("bob").phone_number = next(iter(numbers))
    bind(other)
    simulator.user("carol").unionid_hidden = True
    here, there = make_phone("carol"), make_phone("carol", other_app)
    here.sign_in(), there.sign_in()
    simulator.user("carol").unionid_hidden = False
    there.sign_in("login"), here.sign_in("login")
    for phone in (member, other, here, there):
        secrets.update((phone.openid, phone.tokens["access"], phone.tokens["refresh"]))
        secrets.add(simulator.session_key(phone.name, phone.app.app_id))
    for session in LoginSession.objects.all():
        secrets.update((session.id.hex, str(session.id)))
    ban(member)
    code = member.code()
    secrets.add(code)
    member.sign_in("login", code=code)
    authenticate(None, wechat_code=member.code())

    kinds = set(AuditEvent.objects.values_list("kind", flat=True))
    assert kinds == {
        Kind.PHONE_BOUND, Kind.PHONE_CONFLICT, Kind.SIGN_IN_REFUSED, Kind.UNION_CONFLICT,
    }  # fmt: skip
    assert len(secrets) > 15
    assert numbers
    for row in AuditEvent.objects.values():
        text = json.dumps(row, default=str)
        facts = json.dumps(row["facts"])
        assert not [secret for secret in secrets if secret in text], row["kind"]
        assert not [number for number in numbers if number[-8:] in text], row["kind"]
        assert not re.search(r"[0-9]{11}|ey[A-Za-z0-9_-]{20}|[A-Za-z0-9+/]{22}==", facts)


def test_session_key_is_what_the_check_for_secrets_looks_for(member: Phone) -> None:
    """The check above can fail: it knows the very key that is kept."""
    sid = LoginSession.objects.get().id
    assert session_keys.fetch(sid) == member.simulator.session_key("alice", member.app.app_id)


# Forgetting


@pytest.fixture
def old(make_user: Any) -> list[int]:
    """The keys of 25 events that are 100 to 124 days old; one of today stands beside them."""
    user, now = make_user(), timezone.now()
    rows = [
        AuditEvent(kind=Kind.EXPORTED, user=user, user_key="1", at=now - timedelta(days=days))
        for days in [0, *range(100, 125)]
    ]
    AuditEvent.objects.bulk_create(rows)
    keys = AuditEvent.objects.filter(at__lt=now - timedelta(days=1)).order_by("-at")
    return list(keys.values_list("pk", flat=True))


def test_old_events_are_forgotten_in_batches(old: list[int], monkeypatch: Any) -> None:
    monkeypatch.setattr(audit, "BATCH", 10)
    monkeypatch.setattr(audit, "QUICK", 0)  # no batch grows
    before = timezone.now() - timedelta(days=50)
    assert audit.count_events(before=before) == 25
    assert list(audit.forget_events(before=before)) == [10, 10, 5]
    assert AuditEvent.objects.count() == 1
    assert list(audit.forget_events(before=before)) == []


def test_batches_grow_and_shrink_with_their_time(old: list[int], monkeypatch: Any) -> None:
    clock = iter([0, 0.01, 1, 1.2, 2, 2.7, 3, 3.2])  # quick, well, slow, well
    monkeypatch.setattr(audit, "monotonic", lambda: next(clock))
    monkeypatch.setattr(audit, "BATCH", 4)
    before = timezone.now() - timedelta(days=50)
    run = audit.forget_events(before=before)
    assert [next(run) for _ in range(4)] == [4, 8, 8, 4]


def test_run_that_was_stopped_goes_on(old: list[int], monkeypatch: Any) -> None:
    monkeypatch.setattr(audit, "BATCH", 10)
    monkeypatch.setattr(audit, "QUICK", 0)
    before = timezone.now() - timedelta(days=50)
    run = audit.forget_events(before=before)
    assert next(run) == 10
    run.close()
    left = AuditEvent.objects.filter(at__lt=before).order_by("-at").values_list("pk", flat=True)
    assert list(left) == old[:15], "the oldest go first"
    assert sum(audit.forget_events(before=before)) == 15


def test_batch_is_one_look_and_one_delete(old: list[int]) -> None:
    before = timezone.now() - timedelta(days=50)
    with CaptureQueriesContext(connection) as queries:
        assert list(audit.forget_events(before=before)) == [25]
    verbs = [query["sql"].split()[0] for query in queries]
    assert [verb for verb in verbs if verb in ("SELECT", "DELETE")] == [
        "SELECT",
        "DELETE",
        "SELECT",
    ]
