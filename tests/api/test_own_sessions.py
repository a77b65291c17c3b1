"""GET sessions, POST sessions/end and sessions/end_others: where am I signed in, and no longer."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from tests.api.answers import check_refusal
from tests.phone import Phone
from wxauth.models import LoginSession
from wxauth.services.my_sessions import SHOWN
from wxauth.tokens import read_access

FIELDS = {"id", "app", "user_agent", "ip_address", "created_at", "last_seen_at", "current"}


def listed(phone: Phone) -> list[dict[str, Any]]:
    response = phone.client.get("/api/sessions")
    assert response.status_code == 200, response.content
    return response.json()["sessions"]


def sid_of(phone: Phone) -> str:
    return str(read_access(phone.tokens["access"]).sid)


@pytest.fixture
def tablet(member: Phone, make_phone: Any, other_app: Any) -> Phone:
    """Another device of the member's, in another app."""
    tablet = make_phone(member.name, other_app)
    tablet.client.defaults |= {"HTTP_USER_AGENT": "Tablet/1", "REMOTE_ADDR": "203.0.113.7"}
    tablet.sign_in()
    return tablet


def test_list_tells_each_device_apart(member: Phone, tablet: Phone) -> None:
    newest, first = listed(member)
    assert set(newest) == set(first) == FIELDS
    assert [each["id"] for each in (newest, first)] == [sid_of(tablet), sid_of(member)]
    assert [each["current"] for each in (newest, first)] == [False, True]
    assert (newest["app"], newest["user_agent"], newest["ip_address"]) == (
        "second",
        "Tablet/1",
        "203.0.113.7",
    )


def test_list_has_no_secret_and_no_token(member: Phone) -> None:
    """Incident 39."""
    text = member.client.get("/api/sessions").content.decode()
    key = member.simulator.session_key(member.name, member.app.app_id)
    for secret in (key, member.openid, member.tokens["access"], member.tokens["refresh"]):
        assert secret not in text


def test_list_has_open_sessions_of_this_user_only(
    member: Phone, tablet: Phone, make_phone: Any
) -> None:
    make_phone("carol").sign_in()
    tablet.post("logout")
    member.sign_in("login")
    LoginSession.objects.filter(pk=sid_of(member)).update(expires_at=timezone.now())
    member.sign_in("login")
    assert len(listed(member)) == 2
    assert sid_of(tablet) not in {each["id"] for each in listed(member)}


def test_last_seen_moves_with_each_refresh(member: Phone, time_machine: Any) -> None:
    [before] = listed(member)
    assert before["last_seen_at"] == before["created_at"]
    time_machine.move_to(timezone.now() + timedelta(minutes=20))
    member.client.get("/api/me")
    assert listed(member) == [before], "looking costs no write"
    member.post("refresh_token", {"refresh": member.tokens["refresh"]})
    [after] = listed(member)
    seen = datetime.fromisoformat(after["last_seen_at"])
    assert seen - datetime.fromisoformat(before["last_seen_at"]) >= timedelta(minutes=20)
    assert after["created_at"] == before["created_at"]


def test_list_is_bounded_and_has_the_current_one(member: Phone) -> None:
    """Incident: a client that signs in at each start."""
    now = timezone.now()
    current = LoginSession.objects.get()
    LoginSession.objects.bulk_create(
        LoginSession(
            user=current.user, created_at=now, rotated_at=now, expires_at=now + timedelta(1)
        )
        for _ in range(SHOWN + 5)
    )
    sessions = listed(member)
    assert len(sessions) == SHOWN + 1
    assert [each["id"] for each in sessions if each["current"]] == [sid_of(member)]


def test_ended_session_is_refused_at_once(member: Phone, tablet: Phone) -> None:
    response = member.post("sessions/end", {"id": sid_of(tablet)})
    assert (response.status_code, response.content) == (204, b"")
    check_refusal(tablet.client.get("/api/me"), 401, "token_invalid")
    check_refusal(
        tablet.post("refresh_token", {"refresh": tablet.tokens["refresh"]}), 401, "token_invalid"
    )
    assert member.client.get("/api/me").status_code == 200
    assert member.post("sessions/end", {"id": sid_of(tablet)}).status_code == 204, "twice is once"


def test_own_current_session_may_be_ended(member: Phone) -> None:
    assert member.post("sessions/end", {"id": sid_of(member)}).status_code == 204
    check_refusal(member.client.get("/api/me"), 401, "token_invalid")


def test_session_of_another_person_is_not_found(member: Phone, make_phone: Any) -> None:
    other = make_phone("carol")
    other.sign_in()
    answers = [
        check_refusal(member.post("sessions/end", {"id": sid}), 404, "not_found")
        for sid in (sid_of(other), str(uuid4()))
    ]
    assert answers[0] == answers[1], "whether there is one is nobody's business"
    assert other.client.get("/api/me").status_code == 200


@pytest.mark.parametrize("spelling", ["{{{}}}", "urn:uuid:{}", "{}0", "%{}"])
def test_other_spellings_of_an_id_are_refused(member: Phone, spelling: str) -> None:
    body = {"id": spelling.format(sid_of(member))}
    check_refusal(member.post("sessions/end", body), 400, "invalid_input")


def test_all_others_end(member: Phone, tablet: Phone, make_phone: Any, received: Any) -> None:
    other = make_phone("carol")
    other.sign_in()
    with received("user_logged_out") as heard:
        response = member.post("sessions/end_others")
    assert (response.status_code, response.json()) == (200, {"ended": 1})
    check_refusal(tablet.client.get("/api/me"), 401, "token_invalid")
    assert member.client.get("/api/me").status_code == 200
    assert other.client.get("/api/me").status_code == 200
    assert len(heard["user_logged_out"]) == 1
    assert member.post("sessions/end_others").json() == {"ended": 0}


@pytest.mark.parametrize("method", ["post", "patch", "put", "delete"])
def test_list_is_only_read(member: Phone, method: str) -> None:
    response = getattr(member.client, method)("/api/sessions")
    check_refusal(response, 405, "method_not_allowed")


def test_who_is_not_signed_in_sees_nothing(member: Phone) -> None:
    member.client.credentials()
    check_refusal(member.client.get("/api/sessions"), 401, "not_authenticated")
