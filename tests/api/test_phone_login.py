"""POST phone_login: who it is, whose number it is, and what an account found by it has to lose."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password

from tests.api.answers import check_error, check_refusal, row_counts
from tests.phone import Phone
from wxauth.conf import WechatApp
from wxauth.models import (
    AuditEvent,
    LoginSession,
    PhoneNumber,
    Referral,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)
from wxauth.wechat.errcodes import CODE_TO_SESSION, PHONE_NUMBER

Kind = AuditEvent.Kind
WAYS = ["phone_code", "encrypted_data"]
each_way = pytest.mark.parametrize("way", WAYS)
NUMBER = "17400000000"


def proof(phone: Phone, way: str = "phone_code") -> dict[str, str]:
    button = phone.phone_button()
    if way == "phone_code":
        return {"phone_code": button["code"]}
    return {"encryptedData": button["encryptedData"], "iv": button["iv"]}


def phone_login(phone: Phone, way: str = "phone_code", **body: Any) -> Any:
    """Sign in as a client does: first wx.login, then the button."""
    if not {"code", "ticket"} & set(body):
        body["code"] = phone.code()
    return phone.sign_in("phone_login", **{**proof(phone, way), **body})


def number_of(phone: Phone) -> str:
    person = phone.simulator.user(phone.name)
    return f"+{person.country_code}{person.phone_number}"


def kinds() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))


def paid(phone: Phone) -> int:
    """Return how many phone codes have been exchanged, or tried."""
    return len(phone.simulator.calls(PHONE_NUMBER))


@pytest.fixture
def owner(make_user: Callable[..., Any], phone: Phone) -> Any:
    """A user without WeChat who has the number of ``phone``, as an import from elsewhere makes."""
    user = make_user("owner")
    phone.simulator.user(phone.name).phone_number = NUMBER
    PhoneNumber.objects.create(
        user=user, number=f"+86{NUMBER}", source="sms", verified_at="2020-01-01T00:00:00Z"
    )
    return user


@pytest.fixture
def takes_her_number(make_phone: Callable[..., Phone], phone: Phone) -> Phone:
    """Somebody with an account whose WeChat has the same number as ``phone``'s."""
    other = make_phone("carol")
    other.sign_in()
    phone.simulator.user(phone.name).phone_number = NUMBER
    other.simulator.user("carol").phone_number = NUMBER
    assert other.bind_phone().status_code == 200
    return other


class TestUnknownPersonWithAFreeNumber:
    @each_way
    @pytest.mark.parametrize("by", ["code", "ticket"])
    def test_gets_an_account_with_both(self, phone: Phone, way: str, by: str) -> None:
        body = {"ticket": phone.ticket()} if by == "ticket" else {}
        response = phone_login(phone, way, **body)
        assert response.status_code == 201, response.content
        assert set(response.json()) == {"access", "refresh", "expires_in", "uid", "registered"}
        assert response.json()["registered"] is True
        held = PhoneNumber.objects.get()
        assert (held.number, held.source) == (number_of(phone), way)
        identity = WechatIdentity.objects.get()
        assert identity.openid == phone.openid
        assert identity.user == held.user == WechatProfile.objects.get().user
        assert WechatUnion.objects.get().user == held.user
        assert not held.user.has_usable_password()
        assert kinds() == [Kind.PHONE_BOUND]
        assert phone.client.get("/api/me").json()["phone"] == held.masked

    def test_referrer_counts(self, phone: Phone, member: Phone) -> None:
        assert phone_login(phone, referrer=member.uid, scene="poster").status_code == 201
        referral = Referral.objects.get()
        assert str(referral.referrer_id) == str(member.uid)
        assert referral.scene == "poster"

    def test_ticket_is_used_up(self, phone: Phone) -> None:
        ticket = phone.ticket()
        assert phone_login(phone, ticket=ticket).status_code == 201
        calls = paid(phone)
        response = phone_login(phone, ticket=ticket)
        check_refusal(response, 400, "ticket_invalid")
        assert paid(phone) == calls, "the phone code was spent for nothing"

    def test_signals_tell_of_person_number_and_session(self, phone: Phone, received: Any) -> None:
        with received("user_registered", "user_logged_in", "phone_bound", "wechat_bound") as heard:
            phone_login(phone)
        assert [len(heard[name]) for name in heard] == [1, 1, 1, 0]
        assert heard["phone_bound"][0]["previous"] is None


class TestKnownPerson:
    @each_way
    def test_is_signed_in_and_the_number_is_bound(self, member: Phone, way: str) -> None:
        response = phone_login(member, way)
        assert response.status_code == 200
        assert set(response.json()) == {"access", "refresh", "expires_in", "uid", "registered"}
        assert response.json()["uid"] == member.uid
        assert PhoneNumber.objects.get().number == number_of(member)
        assert str(PhoneNumber.objects.get().user_id) == str(member.uid)
        assert kinds() == [Kind.PHONE_BOUND]

    def test_known_by_the_unionid_alone_is_signed_in_too(
        self, member: Phone, make_phone: Any, other_app: WechatApp
    ) -> None:
        there = make_phone(member.name, other_app)
        response = phone_login(there)
        assert (response.status_code, response.json()["uid"]) == (200, member.uid)
        assert WechatIdentity.objects.count() == 2
        assert PhoneNumber.objects.get().number == number_of(member)

    def test_who_has_a_number_pays_for_no_phone_code(self, member: Phone) -> None:
        member.bind_phone()
        calls, before = paid(member), PhoneNumber.objects.get()
        member.simulator.user(member.name).phone_number = "17400000009"
        body = proof(member)
        assert member.sign_in("phone_login", **body).status_code == 200
        assert paid(member) == calls
        assert PhoneNumber.objects.get().number == before.number
        # And the code is still good.
        assert member.post("bind_phone", body).status_code == 200

    @each_way
    def test_taken_number_is_told_and_nobody_is_moved(
        self, member: Phone, takes_her_number: Phone, received: Any, way: str
    ) -> None:
        member.simulator.user(member.name).phone_number = NUMBER
        AuditEvent.objects.all().delete()
        with received("phone_conflict", "phone_bound") as heard:
            response = phone_login(member, way)
        assert response.status_code == 200
        assert response.json()["phone_conflict"] is True
        assert response.json()["uid"] == member.uid
        assert str(PhoneNumber.objects.get().user_id) == str(takes_her_number.uid)
        event = AuditEvent.objects.get()
        assert (event.kind, event.user_key) == (Kind.PHONE_CONFLICT, str(member.uid))
        assert event.facts["holder"] == str(takes_her_number.uid)
        assert NUMBER not in str(event.facts)
        assert event.ip_address == "127.0.0.1"
        [told] = heard["phone_conflict"]
        assert str(told["holder"].pk) == str(takes_her_number.uid)
        assert heard["phone_bound"] == []

    def test_password_and_sessions_of_the_known_person_stay(self, member: Phone) -> None:
        get_user_model().objects.update(password=make_password("correct horse"))
        assert phone_login(member).status_code == 200
        assert get_user_model().objects.get().check_password("correct horse")
        assert LoginSession.objects.filter(revoked_at=None).count() == 2

    def test_union_conflict_is_told_as_by_login(
        self, member: Phone, make_phone: Any, other_app: WechatApp
    ) -> None:
        person = member.simulator.user("dave")
        person.unionid_hidden = True
        here, there = make_phone("dave"), make_phone("dave", other_app)
        here.sign_in()
        there.sign_in()
        person.unionid_hidden = False
        here.sign_in()
        assert phone_login(there).json()["union_conflict"] is True


class TestNumberOfAUserWithoutWechat:
    @each_way
    @pytest.mark.parametrize("by", ["code", "ticket"])
    def test_identity_is_linked_to_that_user(
        self, phone: Phone, owner: Any, received: Any, way: str, by: str
    ) -> None:
        body = {"ticket": phone.ticket()} if by == "ticket" else {}
        with received("wechat_bound", "user_registered", "user_logged_in") as heard:
            response = phone_login(phone, way, **body)
        assert response.status_code == 200, response.content
        assert response.json()["registered"] is False
        assert response.json()["linked"] is True
        assert str(response.json()["uid"]) == str(owner.pk)
        identity = WechatIdentity.objects.get()
        assert (identity.user, identity.openid) == (owner, phone.openid)
        assert WechatUnion.objects.get().user == owner
        assert PhoneNumber.objects.get().source == way
        assert get_user_model().objects.count() == 1
        assert [one["by"] for one in heard["wechat_bound"]] == ["phone"]
        assert (len(heard["user_registered"]), len(heard["user_logged_in"])) == (0, 1)
        # From now on WeChat alone will do.
        assert str(phone.sign_in("login").json()["uid"]) == str(owner.pk)

    def test_user_of_another_app_is_found_by_the_number(
        self, member: Phone, make_phone: Any, foreign_app: WechatApp
    ) -> None:
        member.bind_phone()
        there = make_phone(member.name, foreign_app)
        response = phone_login(there)
        assert (response.status_code, response.json()["uid"]) == (200, member.uid)
        assert response.json()["linked"] is True
        assert WechatUnion.objects.count() == 2, "one in each scope"


class TestPreHijack:
    """Incident 16: what somebody else has left in the account ends when its owner arrives."""

    def test_other_sessions_end(
        self, phone: Phone, make_phone: Any, foreign_app: WechatApp, received: Any
    ) -> None:
        attacker = make_phone("mallory", foreign_app)
        attacker.sign_in()
        attacker.simulator.user("mallory").phone_number = NUMBER
        phone.simulator.user(phone.name).phone_number = NUMBER
        assert attacker.bind_phone().status_code == 200
        planted = attacker.tokens
        with received("user_logged_out") as heard:
            assert phone_login(phone).json()["linked"] is True
        check_refusal(attacker.client.get("/api/me"), 401, "token_invalid")
        check_refusal(
            attacker.post("refresh_token", {"refresh": planted["refresh"]}), 401, "token_invalid"
        )
        assert len(heard["user_logged_out"]) == 1
        assert phone.client.get("/api/me").status_code == 200

    def test_password_becomes_unusable(self, phone: Phone, owner: Any) -> None:
        owner.set_password("planted")
        owner.save()
        assert phone_login(phone).status_code == 200
        owner.refresh_from_db()
        assert not owner.has_usable_password()
        assert not owner.check_password("planted")
        assert kinds() == [Kind.WECHAT_BOUND, Kind.PASSWORD_CHANGED]

    def test_password_set_after_the_number_was_proved_goes_too(
        self, phone: Phone, owner: Any
    ) -> None:
        """When it was set does not tell by whom: the last owner of the number had proved it too."""
        PhoneNumber.objects.update(verified_at="2026-01-01T00:00:00Z")
        owner.set_password("set later")
        owner.save()
        assert phone_login(phone).status_code == 200
        owner.refresh_from_db()
        assert not owner.has_usable_password()

    def test_session_of_django_itself_ends(self, phone: Phone, owner: Any, client: Any) -> None:
        client.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
        before = owner.get_session_auth_hash()
        assert phone_login(phone).status_code == 200
        owner.refresh_from_db()
        assert owner.get_session_auth_hash() != before

    def test_session_of_before_the_attack_is_not_revived_by_a_refused_one(
        self, phone: Phone, takes_her_number: Phone
    ) -> None:
        """Who is refused ends nobody's session."""
        check_refusal(phone_login(phone), 409, "phone_taken")
        assert takes_her_number.client.get("/api/me").status_code == 200


class TestNumberOfSomebodyElseInThisApp:
    @each_way
    @pytest.mark.parametrize("by", ["code", "ticket"])
    def test_is_refused_with_choices_and_nobody_is_moved(
        self, phone: Phone, takes_her_number: Phone, way: str, by: str
    ) -> None:
        ticket = phone.ticket() if by == "ticket" else None
        AuditEvent.objects.all().delete()
        rows = row_counts()
        response = phone_login(phone, way, **({"ticket": ticket} if ticket else {}))
        body = check_refusal(response, 409, "phone_taken")
        assert body["action"] == "choose"
        assert body["choices"] == [
            "use_another_number",
            "sign_in_to_other_account",
            "register_without_number",
        ]
        event = AuditEvent.objects.get()
        assert sum(row_counts().values()) == sum(rows.values()) + 1, "the event"
        assert (event.kind, event.user_key) == (Kind.PHONE_CONFLICT, str(takes_her_number.uid))
        assert NUMBER not in str(event.facts)
        again = {"ticket": ticket} if ticket else {}
        check_refusal(phone_login(phone, way, **again), 409, "phone_taken")
        assert AuditEvent.objects.count() == 1, "once in an hour"
        # The ticket is good for each of the choices.
        assert body["ticket"] == ticket or by == "code"
        assert phone.sign_in("register_simple", ticket=body["ticket"]).status_code == 201

    def test_ticket_is_good_for_another_number(self, phone: Phone, takes_her_number: Phone) -> None:
        ticket = check_refusal(phone_login(phone), 409, "phone_taken")["ticket"]
        phone.simulator.user(phone.name).phone_number = "17400000001"
        assert phone_login(phone, ticket=ticket).status_code == 201
        assert PhoneNumber.objects.count() == 2


class TestInactive:
    """Incident 1: no path lets a disabled account in."""

    @pytest.fixture
    def _disabled(self, member: Phone) -> None:
        get_user_model().objects.update(is_active=False)

    @pytest.mark.usefixtures("_disabled")
    def test_known_person_costs_no_phone_code(self, member: Phone) -> None:
        rows = row_counts()
        check_refusal(phone_login(member), 403, "user_inactive")
        assert paid(member) == 0
        assert row_counts() == rows
        check_refusal(phone_login(member), 403, "user_inactive")
        event = AuditEvent.objects.get()  # once in an hour
        assert (event.kind, event.user_key) == (Kind.SIGN_IN_REFUSED, str(member.uid))

    @each_way
    def test_user_of_the_number(self, phone: Phone, owner: Any, way: str) -> None:
        owner.is_active = False
        owner.set_password("kept")
        owner.save()
        rows = row_counts()
        check_refusal(phone_login(phone, way), 403, "user_inactive")
        assert row_counts() == rows
        assert kinds() == [Kind.SIGN_IN_REFUSED]
        owner.refresh_from_db()
        assert owner.check_password("kept")


class TestProof:
    def test_phone_code_of_another_person_is_refused(self, phone: Phone, member: Phone) -> None:
        rows = row_counts()
        response = phone_login(phone, **proof(member))
        check_refusal(response, 400, "wechat_phone_code_invalid")
        assert row_counts() == rows

    def test_data_of_another_person_is_refused(self, phone: Phone, member: Phone) -> None:
        response = phone_login(phone, "encrypted_data", **proof(member, "encrypted_data"))
        check_refusal(response, 409, "wechat_session_stale")

    def test_data_made_before_the_login_is_stale(self, phone: Phone) -> None:
        phone.code()
        data = proof(phone, "encrypted_data")
        check_refusal(phone.sign_in("phone_login", **data), 409, "wechat_session_stale")

    def test_data_is_refused_before_the_code_when_it_is_switched_off(
        self, phone: Phone, settings: Any
    ) -> None:
        settings.WXAUTH_PHONE_BY_ENCRYPTED_DATA = False
        check_refusal(phone_login(phone, "encrypted_data"), 403, "phone_data_disabled")
        assert phone.simulator.calls(CODE_TO_SESSION) == []
        assert phone_login(phone).status_code == 201

    @pytest.mark.parametrize(
        "bad",
        [{"phone_code": "令牌"}, {"phone_code": "a b"}, {"encryptedData": "AAAA", "iv": "%%%"}],
        ids=["not ASCII", "a space", "not base64"],
    )
    def test_what_cannot_be_a_proof_costs_no_login_code(self, phone: Phone, bad: Any) -> None:
        response = phone.sign_in("phone_login", **bad)
        assert check_refusal(response, 400)["code"].startswith("wechat_")
        assert phone.simulator.calls(CODE_TO_SESSION) == []

    @pytest.mark.parametrize(
        "names",
        [
            set(),
            {"code"},
            {"phone_code"},
            {"ticket", "code", "phone_code"},
            {"code", "phone_code", "encryptedData", "iv"},
            {"code", "phone_code", "iv"},
            {"code", "encryptedData"},
            {"code", "iv"},
        ],
        ids=lambda names: " ".join(sorted(names)) or "nothing",
    )
    def test_anything_but_one_person_and_one_number_is_refused(
        self, phone: Phone, names: set[str]
    ) -> None:
        everything = {"ticket": phone.ticket(), "code": phone.code(), **proof(phone)}
        everything |= proof(phone, "encrypted_data")
        calls = len(phone.simulator.requests)
        body = {name: value for name, value in everything.items() if name in names}
        check_refusal(phone.post("phone_login", body), 400, "invalid_input")
        assert len(phone.simulator.requests) == calls, "WeChat was asked"

    def test_number_and_openid_in_the_request_are_ignored(self, phone: Phone) -> None:
        """Incidents 13 and 14: only what WeChat answers to us counts."""
        forged = {"phone": "+8613800138000", "openid": "o" * 28, "purePhoneNumber": "13800138000"}
        body = {**forged, "code": phone.code(), **proof(phone)}
        assert phone.post("phone_login", body).status_code == 201
        assert PhoneNumber.objects.get().number == number_of(phone)
        assert WechatIdentity.objects.get().openid == phone.openid

    @pytest.mark.parametrize("errcode", [40029, -1, 45011, 45009, 99999])
    def test_ticket_outlives_a_failure_of_the_phone_code(self, phone: Phone, errcode: int) -> None:
        ticket = phone.ticket()
        phone.simulator.fail(PHONE_NUMBER, errcode=errcode, times=None)
        check_error(phone_login(phone, ticket=ticket))
        phone.simulator.clear_faults()
        assert phone_login(phone, ticket=ticket).status_code == 201


def test_person_is_limited_on_this_route_too(phone: Phone, settings: Any) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": None, "person": "2/day"}
    assert [phone_login(phone).status_code for _ in range(3)] == [201, 200, 429]
