"""POST bind_phone: each way to prove a number, and each way to bring somebody else's."""

import base64
import time
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from tests.api.answers import check_error, check_refusal, row_counts
from tests.conftest import empty_caches
from tests.phone import Phone
from wxauth.models import LoginSession, PhoneNumber, WechatIdentity
from wxauth.simulator.open_data import encrypt_open_data
from wxauth.wechat.errcodes import CODE_TO_SESSION, PHONE_NUMBER

BLOCK = 16  # bytes
WAYS = ["phone_code", "encrypted_data", "encrypted_data with a fresh code"]
each_way = pytest.mark.parametrize("way", WAYS)
SOURCES = {"phone_code": "phone_code"}


def proof(phone: Phone, way: str = WAYS[1]) -> dict[str, str]:
    """Return what this phone sends to bind its number in this way."""
    # First wx.login, then the button: the other way round is race R1.
    code = {"code": phone.code()} if way == WAYS[2] else {}
    button = phone.phone_button()
    if way == "phone_code":
        return {"phone_code": button["code"]}
    return {"encryptedData": button["encryptedData"], "iv": button["iv"], **code}


def made_by_hand(phone: Phone, **changes: Any) -> dict[str, str]:
    """Return encryptedData as WeChat would make it, with these fields changed."""
    info = {
        "phoneNumber": "17400000000",
        "purePhoneNumber": "17400000000",
        "countryCode": "86",
        "watermark": {"timestamp": int(time.time()), "appid": phone.app.app_id},
    }
    key = phone.simulator.session_key(phone.name, phone.app.app_id)
    return encrypt_open_data({**info, **changes}, session_key=key)


def number_of(phone: Phone) -> str:
    person = phone.simulator.user(phone.name)
    return f"+{person.country_code}{person.phone_number}"


@each_way
def test_number_is_bound(member: Phone, way: str) -> None:
    response = member.post("bind_phone", proof(member, way))
    assert response.status_code == 200
    source = SOURCES.get(way, "encrypted_data")
    assert response.json() == {"phone": number_of(member), "source": source}
    phone = PhoneNumber.objects.get()
    assert (str(phone.user_id), phone.number) == (str(member.uid), number_of(member))


@each_way
def test_same_number_again_changes_nothing_but_the_time(member: Phone, way: str) -> None:
    member.post("bind_phone", proof(member))
    before = PhoneNumber.objects.get()
    assert member.post("bind_phone", proof(member, way)).status_code == 200
    after = PhoneNumber.objects.get()
    assert (after.pk, after.number) == (before.pk, before.number)
    assert after.verified_at > before.verified_at


@each_way
def test_changed_number_frees_the_old_one(member: Phone, make_phone: Any, way: str) -> None:
    member.bind_phone()
    old = member.simulator.user(member.name).phone_number
    member.simulator.user(member.name).phone_number = "17400000001"
    assert member.post("bind_phone", proof(member, way)).status_code == 200
    assert PhoneNumber.objects.get().number == "+8617400000001"
    other = make_phone("carol")
    other.sign_in()
    other.simulator.user(other.name).phone_number = old
    assert other.post("bind_phone", proof(other, way)).status_code == 200


@each_way
def test_taken_number_is_refused_with_choices(member: Phone, make_phone: Any, way: str) -> None:
    member.bind_phone()
    other = make_phone("carol")
    other.sign_in()
    other.simulator.user("carol").phone_number = member.simulator.user("bob").phone_number
    before = PhoneNumber.objects.get()
    body = check_refusal(other.post("bind_phone", proof(other, way)), 409, "phone_taken")
    assert body["action"] == "choose"
    assert body["choices"] == ["use_another_number", "sign_in_to_other_account"]
    after = PhoneNumber.objects.get()
    assert (str(after.user_id), after.verified_at) == (str(member.uid), before.verified_at)


@pytest.mark.parametrize(
    ("country", "number"), [("852", "51234567"), ("1", "2015550123"), ("44", "7400123456")]
)
@each_way
def test_foreign_number_is_bound(member: Phone, way: str, country: str, number: str) -> None:
    person = member.simulator.user(member.name)
    person.country_code, person.phone_number = country, number
    response = member.post("bind_phone", proof(member, way))
    assert response.status_code == 200
    assert response.json()["phone"] == f"+{country}{number}"


def test_country_code_may_be_a_number(member: Phone) -> None:
    member.simulator.quirks = {"country_code_number"}
    assert member.bind_phone().status_code == 200
    response = member.post(
        "bind_phone", made_by_hand(member, countryCode=852, purePhoneNumber="51234567")
    )
    assert response.json()["phone"] == "+85251234567"


IMPOSSIBLE = {
    "too short": {"purePhoneNumber": "123"},
    "too long": {"purePhoneNumber": "1" * 1000},
    "missing": {"purePhoneNumber": None},
    "a list": {"purePhoneNumber": ["17400000000"]},
    "letters": {"purePhoneNumber": "not a number"},
    "no such country": {"countryCode": "999"},
    "country of zero": {"countryCode": 0},
    "country true": {"countryCode": True},
    "country missing": {"countryCode": ""},
}


@pytest.mark.parametrize("changes", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_number_is_refused(member: Phone, changes: dict[str, Any]) -> None:
    response = member.post("bind_phone", made_by_hand(member, **changes))
    check_refusal(response, 400, "phone_number_invalid")
    assert not PhoneNumber.objects.exists()


class TestOfSomebodyElse:
    """Proofs that are good, but not of the person who is signed in."""

    @pytest.fixture
    def victim(self, make_phone: Any) -> Phone:
        victim = make_phone("victim")
        victim.sign_in()
        return victim

    def test_phone_code_of_another_person(self, member: Phone, victim: Phone) -> None:
        response = member.post("bind_phone", proof(victim, "phone_code"))
        check_refusal(response, 400, "wechat_phone_code_invalid")
        assert member.simulator.calls(PHONE_NUMBER)[-1].body.find(member.openid.encode()) > 0
        assert not PhoneNumber.objects.exists()

    def test_phone_code_of_another_person_in_an_app_where_the_member_is_nobody(
        self, member: Phone, make_phone: Any, foreign_app: Any
    ) -> None:
        """There is no openid to send along with it, and so WeChat would not look whose it is."""
        victim = make_phone("victim", foreign_app)
        victim.sign_in()
        body = {**proof(victim, "phone_code"), "app": foreign_app.alias}
        check_refusal(member.post("bind_phone", body), 400, "wechat_phone_code_invalid")
        assert not PhoneNumber.objects.exists()

    def test_phone_code_of_another_person_after_the_identity_is_gone(
        self, member: Phone, victim: Phone
    ) -> None:
        WechatIdentity.objects.filter(openid=member.openid).delete()
        response = member.post("bind_phone", proof(victim, "phone_code"))
        check_refusal(response, 400, "wechat_phone_code_invalid")
        assert not PhoneNumber.objects.exists()

    def test_data_of_another_person(self, member: Phone, victim: Phone) -> None:
        response = member.post("bind_phone", proof(victim))
        check_refusal(response, 409, "wechat_session_stale")
        assert not PhoneNumber.objects.exists()

    def test_data_and_login_code_of_another_person(self, member: Phone, victim: Phone) -> None:
        response = member.post("bind_phone", proof(victim, WAYS[2]))
        check_refusal(response, 400, "wechat_data_invalid")
        assert not PhoneNumber.objects.exists()
        # Nor has the other's key replaced the member's own.
        assert member.post("bind_phone", proof(member)).status_code == 200

    def test_data_that_names_another_person(self, member: Phone, victim: Phone) -> None:
        response = member.post("bind_phone", made_by_hand(member, openId=victim.openid))
        check_refusal(response, 400, "wechat_data_invalid")


class TestUsed:
    """Each proof is good for one request, whoever sends it again and however it is spelt."""

    def test_used_phone_code(self, member: Phone) -> None:
        body = proof(member, "phone_code")
        assert member.post("bind_phone", body).status_code == 200
        check_refusal(member.post("bind_phone", body), 400, "wechat_phone_code_invalid")

    def test_used_data(self, member: Phone) -> None:
        body = proof(member)
        assert member.post("bind_phone", body).status_code == 200
        check_refusal(member.post("bind_phone", body), 400, "wechat_data_invalid")

    def test_used_data_in_another_spelling_of_base64(self, member: Phone) -> None:
        # As many bytes as leave base64 with bits to spare.
        body = made_by_hand(member, x="")
        while not body["encryptedData"].endswith("=="):
            body = made_by_hand(member, x="x" * (BLOCK * (len(body["encryptedData"]) % 7)))
            member.simulator.advance(0)
        text = body["encryptedData"]
        last = text[-3]
        spelt = f"{text[:-3]}{chr(ord(last) + 1)}=="
        assert base64.b64decode(spelt, validate=True) == base64.b64decode(text)
        assert member.post("bind_phone", body).status_code == 200
        response = member.post("bind_phone", {**body, "encryptedData": spelt})
        check_refusal(response, 400, "wechat_data_invalid")

    def test_used_data_with_another_iv(self, member: Phone) -> None:
        body = proof(member)
        assert member.post("bind_phone", body).status_code == 200
        iv = bytearray(base64.b64decode(body["iv"]))
        iv[5] ^= 1  # another letter in the name of the first field
        body["iv"] = base64.b64encode(iv).decode()
        check_refusal(member.post("bind_phone", body), 400, "wechat_data_invalid")

    def test_used_data_in_another_session(self, member: Phone) -> None:
        member.simulator.session_key_rotation = "never"
        body = proof(member)
        assert member.post("bind_phone", body).status_code == 200
        member.sign_in("login")
        check_refusal(member.post("bind_phone", body), 400, "wechat_data_invalid")

    def test_data_that_registered_somebody_does_not_bind(self, phone: Phone) -> None:
        code, data = phone.code(), phone.open_data()
        assert phone.sign_in("register_complex", code=code, **data).status_code == 201
        body = {"encryptedData": data["encryptedData"], "iv": data["iv"]}
        check_refusal(phone.post("bind_phone", body), 400, "wechat_data_invalid")


class TestOld:
    def test_phone_code_of_six_minutes_ago(self, member: Phone) -> None:
        body = proof(member, "phone_code")
        member.simulator.advance(301)
        check_refusal(member.post("bind_phone", body), 400, "wechat_phone_code_invalid")

    @pytest.mark.parametrize("way", WAYS[1:])
    @pytest.mark.parametrize("seconds", [-605, 605])
    def test_data_older_than_ten_minutes_or_from_the_future(
        self, member: Phone, way: str, seconds: int
    ) -> None:
        member.simulator.session_key_rotation = "never"
        member.simulator.advance(seconds)
        body = proof(member, WAYS[1])
        member.simulator.advance(-seconds)
        if way == WAYS[2]:
            body["code"] = member.code()
        check_refusal(member.post("bind_phone", body), 400, "wechat_data_invalid")

    @pytest.mark.parametrize(
        "timestamp", [None, "now", True, 10**400, -(10**400), 1.5, [], "1"], ids=str
    )
    def test_data_with_a_time_that_makes_no_sense(self, member: Phone, timestamp: Any) -> None:
        watermark = {"appid": member.app.app_id, "timestamp": timestamp}
        response = member.post("bind_phone", made_by_hand(member, watermark=watermark))
        check_refusal(response, 400, "wechat_data_invalid")

    def test_key_that_a_newer_login_has_replaced_is_stale(self, member: Phone) -> None:
        member.code()
        check_refusal(member.post("bind_phone", proof(member)), 409, "wechat_session_stale")
        assert member.post("bind_phone", proof(member, WAYS[2])).status_code == 200
        # And that key is kept from then on.
        assert member.post("bind_phone", proof(member)).status_code == 200

    def test_button_before_the_login_is_stale(self, member: Phone) -> None:
        """Race R1: the callback of the button calls wx.login, which replaces the key."""
        body = {**proof(member), "code": member.code()}
        check_refusal(member.post("bind_phone", body), 409, "wechat_session_stale")

    def test_lost_cache_is_stale_and_costs_no_more(self, member: Phone) -> None:
        empty_caches()
        check_refusal(member.post("bind_phone", proof(member)), 409, "wechat_session_stale")
        assert member.bind_phone().status_code == 200


class TestTampered:
    def test_watermark_of_another_app(self, member: Phone, other_app: Any) -> None:
        watermark = {"appid": other_app.app_id, "timestamp": int(time.time())}
        response = member.post("bind_phone", made_by_hand(member, watermark=watermark))
        check_refusal(response, 400, "wechat_data_invalid")

    @pytest.mark.parametrize("watermark", [None, [], "wx", {}], ids=str)
    def test_no_watermark(self, member: Phone, watermark: Any) -> None:
        response = member.post("bind_phone", made_by_hand(member, watermark=watermark))
        check_refusal(response, 400, "wechat_data_invalid")

    def test_watermark_of_another_app_in_wechats_answer(
        self, member: Phone, other_app: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        body = proof(member, "phone_code")
        codes = member.simulator.world.codes
        codes._codes[body["phone_code"]].phone_info["watermark"]["appid"] = other_app.app_id
        check_refusal(member.post("bind_phone", body), 400, "wechat_data_invalid")
        assert "security" in caplog.text

    def test_each_flipped_byte_of_the_data(self, member: Phone) -> None:
        body = proof(member)
        data = base64.b64decode(body["encryptedData"])
        for position in range(0, len(data), 5):
            flipped = bytearray(data)
            flipped[position] ^= 0x80
            sent = {**body, "encryptedData": base64.b64encode(flipped).decode()}
            answer = check_refusal(member.post("bind_phone", sent))
            assert answer["code"] in {"wechat_session_stale", "wechat_data_invalid"}
        assert not PhoneNumber.objects.exists()

    def test_plus_that_a_form_has_turned_into_a_space(self, member: Phone) -> None:
        body = made_by_hand(member)
        while "+" not in body["encryptedData"]:
            body = made_by_hand(member)
        body["encryptedData"] = body["encryptedData"].replace("+", " ")
        check_refusal(member.post("bind_phone", body), 400, "wechat_data_invalid")

    @pytest.mark.parametrize("name", ["encryptedData", "iv"])
    def test_broken_base64_costs_no_code(self, member: Phone, name: str) -> None:
        calls = len(member.simulator.calls(CODE_TO_SESSION))
        for text in ("%%%", "AAAA", "A", "=", "AAAAAAAAAAAAAAAAAAAAAA==AAAA", "令牌"):
            body = {**proof(member), "code": member.code(), name: text}
            check_refusal(member.post("bind_phone", body), 400, "wechat_data_invalid")
        assert len(member.simulator.calls(CODE_TO_SESSION)) == calls


class TestOfAnotherKind:
    def test_login_code_sent_as_phone_code(self, member: Phone) -> None:
        response = member.post("bind_phone", {"phone_code": member.code()})
        check_refusal(response, 400, "wechat_phone_code_invalid")

    def test_phone_code_sent_as_login_code(self, member: Phone) -> None:
        body = {**proof(member), "code": member.phone_button()["code"]}
        check_refusal(member.post("bind_phone", body), 400, "wechat_code_invalid")

    def test_profile_data_has_no_number(self, member: Phone) -> None:
        data = member.open_data()
        body = {"encryptedData": data["encryptedData"], "iv": data["iv"]}
        check_refusal(member.post("bind_phone", body), 400, "phone_number_invalid")

    def test_number_in_the_request_is_ignored(self, member: Phone) -> None:
        forged = {"phone": "+8613800138000", "purePhoneNumber": "13800138000"}
        check_refusal(member.post("bind_phone", forged), 400, "invalid_input")
        response = member.post("bind_phone", {**forged, **proof(member, "phone_code")})
        assert response.json()["phone"] == number_of(member)


COMBINATIONS = {
    "nothing": set(),
    "phone_code and data": {"phone_code", "encryptedData", "iv"},
    "phone_code and login code": {"phone_code", "code"},
    "phone_code and iv": {"phone_code", "iv"},
    "login code alone": {"code"},
    "data without iv": {"encryptedData"},
    "iv without data": {"iv", "code"},
}


@pytest.mark.parametrize("names", COMBINATIONS.values(), ids=COMBINATIONS)
def test_anything_but_one_whole_proof_is_refused(member: Phone, names: set[str]) -> None:
    everything = {**proof(member, WAYS[2]), **proof(member, "phone_code")}
    calls = len(member.simulator.requests)
    body = {name: value for name, value in everything.items() if name in names}
    for empty in ({}, dict.fromkeys(everything)):
        check_refusal(member.post("bind_phone", {**empty, **body}), 400, "invalid_input")
    assert len(member.simulator.requests) == calls, "WeChat was asked"
    assert not PhoneNumber.objects.exists()


def test_null_in_the_other_proof_is_no_fault(member: Phone) -> None:
    nothing = dict.fromkeys(["phone_code", "encryptedData", "iv", "code", "app"])
    for way in WAYS:
        assert member.post("bind_phone", {**nothing, **proof(member, way)}).status_code == 200


@pytest.mark.parametrize("way", WAYS[1:])
def test_data_is_refused_when_it_is_switched_off(member: Phone, settings: Any, way: str) -> None:
    settings.WXAUTH_PHONE_BY_ENCRYPTED_DATA = False
    body = proof(member, way)
    calls = len(member.simulator.requests)
    check_refusal(member.post("bind_phone", body), 403, "phone_data_disabled")
    assert len(member.simulator.requests) == calls, "WeChat was asked"
    assert member.bind_phone().status_code == 200


@each_way
def test_inactive_user_is_refused(member: Phone, way: str) -> None:
    body = proof(member, way)
    get_user_model().objects.update(is_active=False)
    calls = len(member.simulator.requests)
    check_refusal(member.post("bind_phone", body), 401, "token_invalid")
    assert len(member.simulator.requests) == calls, "WeChat was asked"
    assert not PhoneNumber.objects.exists()


@each_way
@pytest.mark.parametrize("end", ["logout", "nobody"])
def test_who_is_not_signed_in_is_refused(member: Phone, way: str, end: str) -> None:
    body = proof(member, way)
    if end == "logout":
        member.post("logout")
    else:
        member.client.credentials()
    check_refusal(member.post("bind_phone", body), 401)
    assert not PhoneNumber.objects.exists()


def test_session_whose_app_is_no_longer_configured_is_refused(member: Phone, settings: Any) -> None:
    apps = dict(settings.WXAUTH_APPS)
    del apps["default"]
    settings.WXAUTH_APPS = apps
    rows = row_counts()
    check_error(member.bind_phone(), 400, "unknown_app")
    assert row_counts() == rows
    assert LoginSession.objects.count() == 1
