"""The routes that end in tokens: login, register_simple, register_complex, authorize."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import is_password_usable

from tests.phone import Phone
from wxauth.models import (
    LoginSession,
    Referral,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)

User = get_user_model()
REGISTERING = ["register_simple", "register_complex", "authorize"]


def register(phone: Phone, route: str, **body: Any) -> Any:
    fields = dict(body)
    if route == "register_complex":
        fields.setdefault("code", phone.code())
        fields = {**phone.open_data(), **fields}
    return phone.sign_in(route, **fields)


def test_unknown_person_is_not_registered_and_gets_a_ticket(phone: Phone) -> None:
    response = phone.sign_in("login")
    assert response.status_code == 404
    body = response.json()
    assert body["code"] == "not_registered"
    assert body["action"] == "register"
    assert len(body["ticket"]) >= 32
    assert not User.objects.exists()


@pytest.mark.parametrize("route", REGISTERING)
def test_new_person_registers(phone: Phone, route: str) -> None:
    response = register(phone, route)
    assert response.status_code == 201
    body = response.json()
    assert set(body) == {"access", "refresh", "expires_in", "uid", "registered"}
    assert body["registered"] is True
    user = User.objects.get()
    assert body["uid"] == (user.pk if isinstance(user.pk, int) else str(user.pk))
    assert WechatIdentity.objects.get().openid == phone.openid


@pytest.mark.parametrize("route", REGISTERING)
def test_registering_twice_signs_in(phone: Phone, route: str) -> None:
    first = register(phone, route).json()
    again = register(phone, route)
    assert again.status_code == 200
    assert again.json()["registered"] is False
    assert again.json()["uid"] == first["uid"]
    assert User.objects.count() == 1


def test_known_person_signs_in(phone: Phone) -> None:
    uid = phone.sign_in().json()["uid"]
    response = phone.sign_in("login")
    assert response.status_code == 200
    assert response.json()["uid"] == uid
    assert response.json()["registered"] is False
    assert LoginSession.objects.count() == 2


@pytest.mark.parametrize("route", ["register_simple", "register_complex"])
def test_ticket_registers_once(phone: Phone, route: str) -> None:
    ticket = phone.ticket()
    data = phone.open_data() if route == "register_complex" else {}
    calls = len(phone.simulator.calls("/sns/jscode2session"))
    assert phone.sign_in(route, ticket=ticket, **data).status_code == 201
    assert len(phone.simulator.calls("/sns/jscode2session")) == calls, "one wx.login is enough"
    data = phone.open_data() if route == "register_complex" else {}
    again = phone.sign_in(route, ticket=ticket, **data)
    assert again.status_code == 400
    assert again.json()["code"] == "ticket_invalid"


def test_unknown_ticket_is_refused(phone: Phone) -> None:
    response = phone.sign_in("register_simple", ticket="never-issued")
    assert (response.status_code, response.json()["code"]) == (400, "ticket_invalid")


def test_bad_data_leaves_the_ticket_good(phone: Phone) -> None:
    ticket = phone.ticket()
    data = phone.open_data()
    broken = phone.sign_in("register_complex", ticket=ticket, **{**data, "iv": "AAAA"})
    assert (broken.status_code, broken.json()["code"]) == (400, "wechat_data_invalid")
    assert phone.sign_in("register_complex", ticket=ticket, **data).status_code == 201


def test_register_complex_takes_the_profile(phone: Phone) -> None:
    phone.simulator.user(phone.name).nickname = "小明🙂é"
    register(phone, "register_complex")
    profile = WechatProfile.objects.get()
    assert profile.nickname == "小明🙂é"
    assert profile.avatar_url.startswith("http")
    assert profile.app == "default"


def test_anonymous_profile_registers_with_an_empty_nickname(phone: Phone) -> None:
    code = phone.code()
    data = phone.open_data(api="getUserProfile")
    assert phone.sign_in("register_complex", code=code, **data).status_code == 201
    assert WechatProfile.objects.get().nickname in ("", phone.name)


def test_register_complex_with_data_of_an_older_key_is_stale(phone: Phone) -> None:
    phone.simulator.session_key_rotation = "always"
    phone.code()
    data = phone.open_data()
    response = phone.sign_in("register_complex", **data)  # wx.login once more: a new key
    assert (response.status_code, response.json()["code"]) == (409, "wechat_session_stale")
    assert not User.objects.exists()


def test_register_complex_with_data_of_another_person_is_refused(
    phone: Phone, make_phone: Any
) -> None:
    phone.simulator.session_key_rotation = "never"
    other = make_phone("mallory")
    other.code()
    response = phone.sign_in("register_complex", **other.open_data())
    assert response.status_code in (400, 409)
    assert not User.objects.exists()


def test_tampered_raw_data_is_refused(phone: Phone) -> None:
    code = phone.code()
    data = phone.open_data()
    data["rawData"] = data["rawData"].replace("{", '{"isAdmin":1,', 1)
    response = phone.sign_in("register_complex", code=code, **data)
    assert (response.status_code, response.json()["code"]) == (400, "wechat_data_invalid")


def test_used_encrypted_data_is_refused(phone: Phone) -> None:
    phone.simulator.session_key_rotation = "never"
    code = phone.code()
    data = phone.open_data()
    assert phone.sign_in("register_complex", code=code, **data).status_code == 201
    again = phone.sign_in("register_complex", **data)
    assert (again.status_code, again.json()["code"]) == (400, "wechat_data_invalid")


def test_encrypted_data_older_than_ten_minutes_is_refused(phone: Phone) -> None:
    phone.simulator.session_key_rotation = "never"
    phone.simulator.advance(-601)
    phone.code()
    data = phone.open_data()
    phone.simulator.advance(601)
    response = phone.sign_in("register_complex", **data)
    assert (response.status_code, response.json()["code"]) == (400, "wechat_data_invalid")


def test_used_code_is_refused_for_everybody(phone: Phone) -> None:
    code = phone.code()
    assert phone.sign_in("authorize", code=code).status_code == 201
    again = phone.sign_in("authorize", code=code)
    assert (again.status_code, again.json()["code"]) == (400, "wechat_code_invalid")
    assert again.json()["errcode"] == 40163
    assert again.json()["rid"]


def test_expired_code_is_refused(phone: Phone) -> None:
    code = phone.code()
    phone.simulator.advance(301)
    response = phone.sign_in("login", code=code)
    assert (response.status_code, response.json()["code"]) == (400, "wechat_code_invalid")


@pytest.mark.parametrize("route", ["login", *REGISTERING])
@pytest.mark.parametrize("alias", ["no-such-app", "site"])
def test_unknown_app_is_refused_without_asking_wechat(phone: Phone, route: str, alias: str) -> None:
    response = register(phone, route, app=alias)
    assert (response.status_code, response.json()["code"]) == (400, "unknown_app")
    assert not phone.simulator.calls("/sns/jscode2session")


@pytest.mark.parametrize("route", ["login", *REGISTERING])
def test_inactive_user_is_refused_on_every_path(phone: Phone, route: str) -> None:
    phone.sign_in()
    LoginSession.objects.all().delete()
    User.objects.update(is_active=False)
    response = register(phone, route)
    assert (response.status_code, response.json()["code"]) == (403, "user_inactive")
    assert not LoginSession.objects.exists()


@pytest.mark.parametrize("claimed", ["openid", "unionid", "session_key", "access_token", "uid"])
def test_identity_sent_by_the_client_is_ignored(phone: Phone, member: Phone, claimed: str) -> None:
    values = {
        "openid": member.openid,
        "unionid": phone.simulator.unionid(member.name, "main"),
        "session_key": phone.simulator.session_key(member.name, member.app.app_id),
        "access_token": member.tokens["access"],
        "uid": member.uid,
    }
    response = phone.sign_in("authorize", **{claimed: values[claimed]})
    assert response.status_code == 201
    assert response.json()["uid"] != member.uid


@pytest.mark.parametrize("code", ["test_code", "123456", "the code is a mock one"])
def test_no_magic_code_exists(phone: Phone, code: str) -> None:
    response = phone.sign_in("authorize", code=code)
    assert (response.status_code, response.json()["code"]) == (400, "wechat_code_invalid")
    assert not User.objects.exists()


def test_new_user_has_no_usable_password_and_a_name_that_tells_nothing(phone: Phone) -> None:
    phone.sign_in()
    user = User.objects.get()
    assert not is_password_usable(user.password)
    name = str(user.get_username())
    assert phone.openid not in name
    assert phone.simulator.unionid(phone.name, "main") not in name


class TestReferrer:
    def test_referrer_is_recorded_with_the_registration(self, phone: Phone, member: Phone) -> None:
        phone.sign_in("register_simple", referrer=member.uid)
        assert str(Referral.objects.get(referee_id=phone.uid).referrer_id) == str(member.uid)

    def test_referrer_may_come_as_text(self, phone: Phone, member: Phone) -> None:
        phone.sign_in("authorize", referrer=f" {member.uid} ")
        assert Referral.objects.filter(referee_id=phone.uid).exists()

    @pytest.mark.parametrize(
        "referrer",
        [
            "",
            None,
            "0",
            "-1",
            "999999999999999999999999",
            "undefined",
            "null",
            "x' OR 1=1 --",
            "\x00",
            "１",
            "1_0",
            "9" * 5000,
            10**30,
            -5,
            "\ud83d",
        ],
        ids=lambda value: ascii(value)[:24],
    )
    def test_useless_referrer_never_fails_a_registration(self, phone: Phone, referrer: Any) -> None:
        assert phone.sign_in("register_simple", referrer=referrer).status_code == 201
        assert not Referral.objects.exists()

    def test_inactive_referrer_is_ignored(self, phone: Phone, member: Phone) -> None:
        User.objects.filter(pk=member.uid).update(is_active=False)
        phone.sign_in("register_simple", referrer=member.uid)
        assert not Referral.objects.exists()

    def test_referrer_after_registration_changes_nothing(
        self, phone: Phone, member: Phone, make_phone: Any
    ) -> None:
        phone.sign_in("register_simple")
        phone.sign_in("register_simple", referrer=member.uid)
        assert not Referral.objects.exists()
        other = make_phone("carol")
        other.sign_in("register_simple", referrer=member.uid)
        other.sign_in("authorize", referrer=phone.uid)
        assert str(Referral.objects.get().referrer_id) == str(member.uid)

    def test_self_as_referrer_is_ignored(self, phone: Phone) -> None:
        phone.sign_in("register_simple")
        phone.sign_in("register_simple", referrer=phone.uid)
        assert not Referral.objects.exists()


class TestUnion:
    def test_known_unionid_in_another_app_needs_no_registration(
        self, phone: Phone, make_phone: Any, other_app: Any
    ) -> None:
        uid = phone.sign_in().json()["uid"]
        elsewhere = make_phone(phone.name, other_app)
        response = elsewhere.sign_in("login")
        assert response.status_code == 200
        assert response.json()["uid"] == uid
        assert response.json()["registered"] is False
        assert WechatIdentity.objects.filter(user_id=uid).count() == 2

    def test_app_of_another_scope_makes_another_user(
        self, phone: Phone, make_phone: Any, foreign_app: Any
    ) -> None:
        phone.sign_in()
        response = make_phone(phone.name, foreign_app).sign_in()
        assert response.status_code == 201
        assert response.json()["uid"] != phone.uid

    def test_late_unionid_is_claimed(self, phone: Phone) -> None:
        phone.simulator.user(phone.name).unionid_hidden = True
        phone.sign_in()
        assert not WechatUnion.objects.exists()
        phone.simulator.user(phone.name).unionid_hidden = False
        response = phone.sign_in("login")
        assert response.status_code == 200
        assert "union_conflict" not in response.json()
        union = WechatUnion.objects.get()
        assert (union.scope, union.unionid) == (
            "main",
            phone.simulator.unionid(phone.name, "main"),
        )
        assert WechatIdentity.objects.get().unionid == union.unionid

    def test_late_unionid_of_another_user_is_a_conflict_and_locks_nobody_out(
        self, phone: Phone, make_phone: Any, other_app: Any, received: Any
    ) -> None:
        phone.simulator.user(phone.name).unionid_hidden = True
        phone.sign_in()
        phone.simulator.user(phone.name).unionid_hidden = False
        elsewhere = make_phone(phone.name, other_app)
        elsewhere.sign_in()
        assert elsewhere.uid != phone.uid

        with received("union_conflict") as heard:
            response = phone.sign_in("login")
            assert phone.sign_in("login").json()["union_conflict"] is True
        assert response.status_code == 200
        assert response.json()["uid"] == phone.uid
        assert response.json()["union_conflict"] is True
        [conflict] = heard["union_conflict"]  # once, not with each sign-in
        assert str(conflict["holder"].pk) == str(elsewhere.uid)

    def test_conflict_ends_when_the_other_user_is_gone(
        self, phone: Phone, make_phone: Any, other_app: Any
    ) -> None:
        phone.simulator.user(phone.name).unionid_hidden = True
        phone.sign_in()
        phone.simulator.user(phone.name).unionid_hidden = False
        elsewhere = make_phone(phone.name, other_app)
        elsewhere.sign_in()
        assert phone.sign_in("login").json()["union_conflict"] is True
        User.objects.get(pk=elsewhere.uid).delete()
        assert "union_conflict" not in phone.sign_in("login").json()
        assert str(WechatUnion.objects.get().user_id) == str(phone.uid)

    def test_unionid_that_is_no_longer_told_is_kept(self, phone: Phone) -> None:
        phone.sign_in()
        unionid = WechatIdentity.objects.get().unionid
        phone.simulator.user(phone.name).unionid_hidden = True
        assert phone.sign_in("login").status_code == 200
        assert WechatIdentity.objects.get().unionid == unionid


def test_openids_that_differ_by_case_are_two_people(app: Any, make_user: Any) -> None:
    WechatIdentity.objects.create(user=make_user(), app_id=app.app_id, openid="oAbCd")
    WechatIdentity.objects.create(user=make_user(), app_id=app.app_id, openid="oabcd")
    assert WechatIdentity.objects.find(app_id=app.app_id, openid="oABCD") is None
    found = WechatIdentity.objects.find(app_id=app.app_id, openid="oabcd")
    assert found is not None
    assert found.openid == "oabcd"


def test_session_lives_as_long_as_its_refresh_token(phone: Phone, settings: Any) -> None:
    settings.SIMPLE_JWT = {"REFRESH_TOKEN_LIFETIME": timedelta(days=3)}
    phone.sign_in()
    session = LoginSession.objects.get()
    assert session.expires_at - session.created_at == timedelta(days=3)
    assert session.app == "default"
    assert session.ip_address == "127.0.0.1"


def test_ticket_with_the_alias_of_another_app_is_refused_and_stays_good(phone: Phone) -> None:
    ticket = phone.ticket()
    response = phone.post("register_simple", {"ticket": ticket, "app": "second"})
    assert (response.status_code, response.json()["code"]) == (400, "unknown_app")
    assert phone.post("register_simple", {"ticket": ticket}).status_code == 201
