"""What the events erase, in plain and in encrypted mode, as XML and as JSON."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model

from tests.phone import Phone
from tests.push.conftest import Deliver
from wxauth import session_keys
from wxauth.exceptions import WechatSessionStale
from wxauth.models import (
    AuditEvent,
    DeletionRequest,
    LoginSession,
    PhoneNumber,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)

pytestmark = pytest.mark.django_db

REVOKE = "user_authorization_revoke"
CANCELLED = "user_authorization_cancellation"
ACCEPTED = (200, b"success")


@pytest.fixture
def rich(member: Phone) -> Phone:
    """A member with a name, a picture and a number."""
    assert member.bind_phone().status_code == 200
    WechatProfile.objects.update(nickname="Bob", avatar_url="https://example.com/b.png")
    return member


def accepted(answer: Any) -> bool:
    return (answer.status_code, answer.content) == ACCEPTED


def kept(phone: Phone) -> set[str]:
    profile = WechatProfile.objects.get(user=phone.uid)
    found = {name for name in ("nickname", "avatar_url") if getattr(profile, name)}
    return found | ({"phone"} if PhoneNumber.objects.filter(user=phone.uid).exists() else set())


@pytest.mark.parametrize("form", ["xml", "json"])
@pytest.mark.parametrize(
    ("revoked", "left"),
    [
        ("8", {"nickname", "avatar_url"}),
        ("6", {"phone"}),
        ("19", {"phone", "avatar_url"}),
        ("20", {"phone", "nickname"}),
        ("8,6", set()),
        ("205", {"phone"}),
        ("1", {"phone", "nickname", "avatar_url"}),
        ("", {"phone", "nickname", "avatar_url"}),
    ],
)
def test_revoked_consent_erases_what_it_was_for(
    rich: Phone, tell: Deliver, revoked: str, left: set[str], form: str
) -> None:
    assert accepted(tell(REVOKE, revoke_info=revoked, form=form))
    assert kept(rich) == left
    event = AuditEvent.objects.filter(kind="consent_revoked").get()
    numbers = [int(number) for number in sorted(revoked.split(","), key=int)] if revoked else []
    assert (str(event.user_id), event.facts["revoked"]) == (str(rich.uid), numbers)
    assert rich.client.get("/api/me").status_code == 200


def test_number_that_is_erased_is_written_down(rich: Phone, tell: Deliver) -> None:
    tell(REVOKE, revoke_info="8,6")
    assert AuditEvent.objects.get(kind="phone_unbound").facts == {"by": "wechat"}
    event = AuditEvent.objects.get(kind="consent_revoked")
    assert event.facts["erased"] == ["nickname", "avatar_url", "phone"]


@pytest.mark.parametrize(
    ("event", "revoked"), [(REVOKE, "6,8,301"), ("user_info_modified", ""), (CANCELLED, "")]
)
def test_neighbour_keeps_everything(
    member: Phone, make_phone: Any, tell: Deliver, event: str, revoked: str
) -> None:
    neighbour = make_phone("carol", member.app)
    neighbour.sign_in()
    neighbour.bind_phone()
    WechatProfile.objects.update(nickname="Carol", avatar_url="https://example.com/c.png")
    assert accepted(tell(event, revoke_info=revoked))
    assert kept(neighbour) == {"nickname", "avatar_url", "phone"}
    assert WechatIdentity.objects.filter(user=neighbour.uid).exists()
    assert WechatUnion.objects.filter(user=neighbour.uid).exists()
    assert neighbour.client.get("/api/me").status_code == 200
    if event == CANCELLED:
        assert str(DeletionRequest.objects.get().user_id) == str(member.uid)


def test_closed_wechat_account_takes_no_union_that_is_another_users_or_anothers(
    rich: Phone, make_phone: Any, tell: Deliver
) -> None:
    neighbour = make_phone("carol", rich.app)
    neighbour.sign_in()
    union = WechatUnion.objects.get(user=neighbour.uid)
    # WeChat says of the member's identity what is the neighbour's: a conflict.
    WechatIdentity.objects.filter(user=rich.uid).update(unionid=union.unionid)
    assert accepted(tell(CANCELLED))
    assert WechatUnion.objects.filter(pk=union.pk).exists()
    assert WechatUnion.objects.filter(user=rich.uid).exists(), "the one that it did not bear"


@pytest.mark.parametrize(("event", "revoked"), [(REVOKE, "301"), (CANCELLED, "")])
def test_host_hears_of_the_sessions_that_end_and_their_keys_are_dropped(
    rich: Phone, tell: Deliver, received: Any, event: str, revoked: str
) -> None:
    session = LoginSession.objects.get()
    assert session_keys.fetch(session.pk)
    with received("user_logged_out") as heard:
        tell(event, revoke_info=revoked)
    (sent,) = heard["user_logged_out"]
    assert (sent["user"], sent["sessions"]) == (session.user, [session.pk])
    with pytest.raises(WechatSessionStale):
        session_keys.fetch(session.pk)


def test_host_hears_of_each_revoked_consent(rich: Phone, tell: Deliver, received: Any) -> None:
    with received("consent_revoked") as heard:
        tell(REVOKE, revoke_info="2")
    (sent,) = heard["consent_revoked"]
    assert (sent["user"].pk, sent["app"], sent["revoked"]) == (
        get_user_model().objects.get().pk,
        rich.app.alias,
        [2],
    )


def test_modified_profile_loses_name_and_picture(rich: Phone, tell: Deliver) -> None:
    assert accepted(tell("user_info_modified"))
    assert kept(rich) == {"phone"}


def test_closed_wechat_account_that_was_the_only_way_in_is_to_be_deleted(
    member: Phone, tell: Deliver
) -> None:
    assert accepted(tell(CANCELLED))
    assert not WechatIdentity.objects.exists()
    assert not WechatUnion.objects.exists()
    request = DeletionRequest.objects.get()
    assert (request.source, request.due_at) == ("wechat", request.requested_at)
    assert member.client.get("/api/me").status_code == 401


def test_closed_wechat_account_of_a_user_with_a_phone_number_erases_the_identity(
    rich: Phone, tell: Deliver
) -> None:
    assert accepted(tell(CANCELLED))
    assert not WechatIdentity.objects.exists()
    assert not DeletionRequest.objects.exists()
    assert PhoneNumber.objects.exists()
    assert rich.client.get("/api/me").status_code == 401, "that sign-in was WeChat's"
    assert AuditEvent.objects.filter(kind="wechat_unbound", facts={"by": "wechat"}).exists()


def test_identities_in_other_apps_keep_the_union_and_the_account(
    member: Phone, make_phone: Any, tell: Deliver, app: Any, other_app: Any
) -> None:
    elsewhere = make_phone(member.name, other_app if member.app == app else app)
    assert elsewhere.sign_in().status_code == 200
    assert accepted(tell(CANCELLED))
    assert [row.app_id for row in WechatIdentity.objects.all()] == [elsewhere.app.app_id]
    assert WechatUnion.objects.exists()
    assert elsewhere.client.get("/api/me").status_code == 200
    assert not DeletionRequest.objects.exists()


def test_event_of_a_person_nobody_knows_is_accepted(member: Phone, deliver: Deliver) -> None:
    push = member.simulator.make_push("stranger", member.app.app_id, CANCELLED)
    assert accepted(deliver(member.app.alias, push))
    assert WechatIdentity.objects.count() == 1


def test_event_that_nobody_handles_is_accepted(member: Phone, tell: Deliver) -> None:
    assert accepted(tell("wxa_media_check"))
    assert accepted(tell(REVOKE, OpenID="a\x00b", form="json"))
    assert accepted(tell(REVOKE, OpenID=""))
    assert AuditEvent.objects.count() == 0


def test_event_twice_in_two_pushes_is_the_same_as_once(member: Phone, tell: Deliver) -> None:
    assert accepted(tell(CANCELLED))
    assert accepted(tell(CANCELLED))
    assert DeletionRequest.objects.count() == 1
    assert AuditEvent.objects.filter(kind="wechat_unbound").count() == 1


def test_event_of_another_app_is_refused(rich: Phone, tell: Deliver) -> None:
    answer = tell(REVOKE, revoke_info="8", AppID="wxanother")
    assert answer.status_code == 403
    assert "phone" in kept(rich)


def test_default_app_needs_no_alias(member: Phone, deliver: Deliver, app: Any) -> None:
    push = member.simulator.make_push(member.name, app.app_id, CANCELLED)
    assert accepted(deliver("", push))


@pytest.mark.parametrize(("revoked", "is_over"), [("301", True), ("8", False)])
def test_revocation_of_everything_ends_the_sessions_of_that_app(
    rich: Phone, tell: Deliver, revoked: str, is_over: bool
) -> None:
    for _ in range(2):  # WeChat tells it up to three times
        assert accepted(tell(REVOKE, revoke_info=revoked))
    assert (rich.post("check_session").status_code == 401) is is_over
    assert kept(rich) == ({"phone"} if is_over else {"nickname", "avatar_url"})
