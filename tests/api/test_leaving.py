"""Consent, export and deletion, as the phone sees them."""

import json
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from django.utils import timezone

from tests.api.answers import check_refusal, row_counts
from tests.phone import Phone
from wxauth import session_keys
from wxauth.exceptions import TokenInvalid, WechatSessionStale
from wxauth.models import (
    AccountNumber,
    AuditEvent,
    DeletionRequest,
    InviteCode,
    LoginSession,
    Merge,
    ProviderToken,
    WechatIdentity,
    WechatProfile,
)
from wxauth.services.consent import give_consent, revoke_consent
from wxauth.services.leaving import request_deletion
from wxauth.signals import collecting_export

CONFIRM = {"confirm": True}
LATER = timedelta(minutes=11)


def kinds(phone: Phone) -> list[str]:
    events = AuditEvent.objects.filter(user_key=str(phone.uid)).order_by("pk")
    return list(events.values_list("kind", flat=True))


def export(phone: Phone) -> Any:
    answer = phone.post("export")
    assert answer.status_code == 200, answer.content
    return json.loads(answer.getvalue())


class TestConsent:
    def test_nobody_has_agreed_to_anything_at_first(self, member: Phone) -> None:
        assert member.client.get("/api/consent").json() == {"version": None, "agreed_at": None}

    def test_version_and_time_are_kept(self, member: Phone) -> None:
        body = member.post("consent", {"version": "2026-11"}).json()
        assert body["version"] == "2026-11"
        assert member.client.get("/api/consent").json() == body
        profile = WechatProfile.objects.get()
        assert profile.consent_at is not None
        assert abs(timezone.now() - profile.consent_at) < timedelta(seconds=10)
        assert kinds(member) == ["consent_given"]
        event = AuditEvent.objects.get()
        assert (event.facts, event.app) == ({"version": "2026-11"}, "default")

    def test_later_version_replaces_the_earlier(self, member: Phone) -> None:
        member.post("consent", {"version": "1"})
        assert member.post("consent", {"version": "2"}).json()["version"] == "2"
        assert kinds(member) == ["consent_given"] * 2

    def test_taken_back_consent_is_gone(self, member: Phone) -> None:
        member.post("consent", {"version": "1"})
        gone = {"version": None, "agreed_at": None}
        assert member.post("consent", {"agreed": False}).json() == gone
        assert member.client.get("/api/consent").json() == gone
        assert kinds(member) == ["consent_given", "consent_revoked"]
        assert AuditEvent.objects.latest("pk").facts == {"version": "1"}

    def test_nothing_to_take_back_is_no_event(self, member: Phone) -> None:
        assert member.post("consent", {"agreed": False}).status_code == 200
        assert kinds(member) == []

    @pytest.mark.parametrize("change", [partial(give_consent, version="1"), revoke_consent])
    def test_user_who_was_switched_off_meanwhile_says_nothing(
        self, member: Phone, change: Any
    ) -> None:
        user = get_user_model().objects.get()
        get_user_model().objects.update(is_active=False)
        with pytest.raises(TokenInvalid):
            change(user=user)
        assert kinds(member) == []

    @pytest.mark.parametrize("body", [{}, {"version": "1", "agreed": False}, {"version": None}])
    def test_contradiction_is_refused(self, member: Phone, body: dict[str, Any]) -> None:
        check_refusal(member.post("consent", body), 400, "invalid_input")

    def test_stranger_is_refused(self, phone: Phone) -> None:
        check_refusal(phone.post("consent", {"version": "1"}), 401)
        check_refusal(phone.client.get("/api/consent"), 401)


class TestExport:
    def test_all_that_is_stored_is_told_to_its_owner(self, member: Phone, make_phone: Any) -> None:
        member.bind_phone()
        member.post("consent", {"version": "2026-11"})
        friend = make_phone("carol")
        assert friend.sign_in(referrer=str(member.uid)).status_code == 201
        body = export(member)
        simulator = member.simulator
        assert body["uid"] == json.loads(json.dumps(member.uid))
        assert body["phone"]["number"] == f"+86{simulator.user('bob').phone_number}", "in full"
        (identity,) = body["identities"]
        assert identity["openid"] == member.openid
        assert identity["unionid"] == simulator.unionid("bob", "main")
        assert identity["app"] == "default"
        assert [union["unionid"] for union in body["unions"]] == [identity["unionid"]]
        assert body["profile"]["consent_version"] == "2026-11"
        (invited,) = body["invited"]
        assert invited.keys() == {"referee_id", "created_at"}, "of others the uid alone"
        assert str(invited["referee_id"]) == str(friend.uid)
        (session,) = body["sessions"]
        assert session["ip_address"] == "127.0.0.1"
        assert [event["kind"] for event in body["audit"]] == [
            "phone_bound",
            "consent_given",
            "exported",
        ]
        assert body["deletion"] is None
        assert str(export(friend)["referral"]["referrer_id"]) == str(member.uid)

    def test_nothing_secret_and_nobody_else_is_in_it(self, member: Phone, make_phone: Any) -> None:
        other = make_phone("carol")
        other.sign_in(referrer=str(member.uid))
        other.bind_phone()
        text = json.dumps(export(member))
        user = get_user_model().objects.get(pk=member.uid)
        session = LoginSession.objects.get(user=user)
        secrets = [
            user.password,
            member.simulator.session_key("bob", member.app.app_id),
            member.tokens["access"],
            member.tokens["refresh"],
            session.id.hex,
            str(session.id),
            member.app.app_secret,
            other.openid,
            member.simulator.user("carol").phone_number,
        ]
        assert [secret for secret in secrets if secret and secret in text] == []
        assert "password" not in text

    def test_neighbour_who_was_here_first_is_not_in_it(self, make_phone: Any) -> None:
        """Each table has a row that is older than those of the user, and none of it is told."""
        neighbour, inviter, phone = map(make_phone, ("carol", "dave", "erin"))
        inviter.sign_in()
        neighbour.sign_in(referrer=str(inviter.uid))
        neighbour.bind_phone()
        user, now = get_user_model().objects.get(pk=neighbour.uid), timezone.now()
        AccountNumber.objects.of(user)
        InviteCode.objects.of(user)
        DeletionRequest.objects.ask(user, source="user", now=now, due_at=now)
        Merge.objects.create(winner=user, winner_key=neighbour.uid)
        ProviderToken.objects.create(
            identity=WechatIdentity.objects.get(user=user),
            sealed=b"",
            access_ends_at=now,
            ends_at=now,
        )
        WechatProfile.objects.update(nickname="Carol")
        phone.sign_in()
        body = export(phone)
        assert body["profile"]["nickname"] == ""
        names = ("phone", "number", "invite_code", "referral", "deletion")
        assert {name: body[name] for name in names} == dict.fromkeys(names)
        assert body["provider_tokens"] == body["invited"] == body["merges"] == []
        assert [row["openid"] for row in body["identities"]] == [phone.openid]
        assert (len(body["unions"]), len(body["sessions"])) == (1, 1)
        assert [event["kind"] for event in body["audit"]] == ["exported"]

    def test_whose_a_taken_number_is_is_not_in_it(self, member: Phone, make_phone: Any) -> None:
        other = make_phone("carol")
        other.sign_in()
        other.bind_phone()
        world = member.simulator
        world.user(member.name).phone_number = world.user("carol").phone_number
        button = member.phone_button()["code"]
        assert member.sign_in("phone_login", phone_code=button).json()["phone_conflict"] is True
        events = [e for e in export(member)["audit"] if e["kind"] == AuditEvent.Kind.PHONE_CONFLICT]
        assert [set(event["facts"]) for event in events] == [{"phone"}]

    def test_long_history_is_read_page_by_page(
        self, member: Phone, django_assert_max_num_queries: Any
    ) -> None:
        now = timezone.now()
        AuditEvent.objects.bulk_create(
            AuditEvent(kind="consent_given", user_key=str(member.uid), at=now) for _ in range(1200)
        )
        answer = member.post("export")
        pieces = iter(answer.streaming_content)
        seen = 0
        with django_assert_max_num_queries(16):
            for piece in pieces:
                seen += piece.count(b'"consent_given"')
        assert seen == 1200

    def test_host_adds_blocks_of_its_own(self, member: Phone) -> None:
        def add(user: Any, **arguments: Any) -> dict[str, Any]:
            orders = ({"order": n, "of": user.pk} for n in range(3))
            return {"orders": orders, "points": 7, "phone": "not yours to say"}

        def nothing(**arguments: Any) -> None:
            return None

        collecting_export.connect(add)
        collecting_export.connect(nothing)
        try:
            body = export(member)
        finally:
            collecting_export.disconnect(add)
            collecting_export.disconnect(nothing)
        assert [order["order"] for order in body["orders"]] == [0, 1, 2]
        assert body["points"] == 7
        assert body["phone"] is None

    def test_fault_of_the_host_is_no_half_document(self, member: Phone) -> None:
        def fail(**arguments: Any) -> None:
            raise LookupError("the host's")

        collecting_export.connect(fail)
        try:
            with pytest.raises(LookupError):
                member.post("export")
        finally:
            collecting_export.disconnect(fail)
        assert kinds(member) == []

    def test_old_sign_in_is_not_enough(self, member: Phone) -> None:
        with time_machine.travel(timezone.now() + LATER):
            check_refusal(member.post("export"), 403, "fresh_sign_in_required")
        assert kinds(member) == []

    def test_no_link_can_start_it(self, member: Phone) -> None:
        check_refusal(member.client.get("/api/export"), 405)


class TestDeletion:
    def test_request_says_when_and_ends_all_sessions_row_3(
        self, member: Phone, make_phone: Any
    ) -> None:
        tablet = make_phone("bob")
        assert tablet.sign_in().status_code == 200
        answer = member.post("delete_account", CONFIRM)
        assert answer.status_code == 202
        due_at = datetime.fromisoformat(answer.json()["due_at"])
        assert abs(due_at - timezone.now() - timedelta(days=15)) < timedelta(seconds=10)
        for phone in (member, tablet):
            check_refusal(phone.client.get("/api/me"), 401, "token_invalid")
            refresh = {"refresh": phone.tokens["refresh"]}
            check_refusal(phone.post("refresh_token", refresh), 401)
        assert kinds(member) == ["deletion_requested"]

    @pytest.mark.parametrize("route", ["login", "register_simple", "authorize"])
    def test_return_in_time_keeps_the_account(self, member: Phone, route: str) -> None:
        member.post("delete_account", CONFIRM)
        assert member.sign_in(route).json()["deletion_cancelled"] is True
        assert not DeletionRequest.objects.exists()
        assert member.client.get("/api/me").status_code == 200
        assert kinds(member) == ["deletion_requested", "deletion_cancelled"]
        assert "deletion_cancelled" not in member.sign_in(route).json()

    def test_return_through_another_app_keeps_the_account(
        self, member: Phone, make_phone: Any, other_app: Any
    ) -> None:
        member.post("delete_account", CONFIRM)
        elsewhere = make_phone("bob", other_app)
        assert elsewhere.sign_in("login").json()["deletion_cancelled"] is True

    def test_return_through_plain_django_keeps_the_account(self, member: Phone) -> None:
        member.post("delete_account", CONFIRM)
        assert authenticate(None, wechat_code=member.code()) is not None
        assert not DeletionRequest.objects.exists()

    def test_banned_user_cannot_call_it_off(self, member: Phone) -> None:
        member.post("delete_account", CONFIRM)
        get_user_model().objects.update(is_active=False)
        check_refusal(member.sign_in("login"), 403, "user_inactive")
        assert DeletionRequest.objects.exists()

    def test_old_sign_in_is_not_enough(self, member: Phone) -> None:
        with time_machine.travel(timezone.now() + LATER):
            answer = member.post("delete_account", CONFIRM)
            check_refusal(answer, 403, "fresh_sign_in_required")
            assert member.client.get("/api/me").status_code == 200
        assert not DeletionRequest.objects.exists()

    @pytest.mark.parametrize("body", [{}, {"confirm": False}, {"confirm": "yes"}, {"confirm": 1}])
    def test_request_without_confirmation_is_refused(self, member: Phone, body: Any) -> None:
        check_refusal(member.post("delete_account", body), 400, "invalid_input")
        assert not DeletionRequest.objects.exists()

    def test_second_request_changes_nothing_and_is_not_written_down(self, member: Phone) -> None:
        session = LoginSession.objects.select_related("user").get()
        first = request_deletion(session=session)
        assert request_deletion(session=session) == first
        assert kinds(member) == ["deletion_requested"]
        with pytest.raises(WechatSessionStale):
            session_keys.fetch(session.pk)

    def test_stranger_is_refused(self, phone: Phone) -> None:
        check_refusal(phone.post("delete_account", CONFIRM), 401)

    def test_signals_are_sent(self, member: Phone, received: Any, settings: Any) -> None:
        settings.WXAUTH_DELETION_DELAY = timedelta(0)
        names = ("deletion_requested", "deletion_cancelled", "account_deleted", "user_logged_out")
        with received(*names) as heard:
            member.post("delete_account", CONFIRM)
            member.sign_in("login")
            member.post("delete_account", CONFIRM)
            call_command("wxauth_delete_accounts", verbosity=0)
        assert [len(heard[name]) for name in names] == [2, 1, 1, 2]
        assert heard["account_deleted"] == [{"sender": "wxauth", "uid": str(member.uid)}]

    def test_deleted_person_starts_anew(self, member: Phone, settings: Any) -> None:
        settings.WXAUTH_DELETION_DELAY = timedelta(0)
        member.bind_phone()
        before = member.uid
        member.post("delete_account", CONFIRM)
        call_command("wxauth_delete_accounts", verbosity=0)
        check_refusal(member.sign_in("login"), 404, "not_registered")
        answer = member.sign_in()
        assert answer.status_code == 201
        assert member.uid != before
        assert "deletion_cancelled" not in answer.json()
        assert member.bind_phone().status_code == 200, "the number is free again"
        counts = row_counts()
        assert (counts["WechatIdentity"], counts["WechatProfile"]) == (1, 1)
