"""check_token, refresh_token and logout: what becomes of a session after the sign-in."""

from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken as PlainAccessToken
from time_machine import TimeMachineFixture

from tests.phone import Phone
from wxauth import session_keys
from wxauth.exceptions import WechatSessionStale
from wxauth.models import LoginSession

User = get_user_model()

ALG_NONE = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"


def check(phone: Phone, token: Any) -> Any:
    return phone.post("check_token", {"token": token})


def refresh(phone: Phone, token: Any = None) -> Any:
    return phone.post("refresh_token", {"refresh": token or phone.tokens["refresh"]})


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def signed(payload: dict[str, Any], key: str = django_settings.SECRET_KEY) -> str:
    return jwt.encode(payload, key, algorithm="HS256")


def is_refused(response: Any) -> bool:
    assert "Bearer" in response.headers["WWW-Authenticate"]
    body = response.json()
    return (response.status_code, body["code"], body["action"]) == (
        401,
        "token_invalid",
        "login_again",
    )


class TestCheckToken:
    def test_good_token_tells_whose_it_is(self, member: Phone) -> None:
        response = check(member, member.tokens["access"])
        assert response.status_code == 200
        body = response.json()
        assert set(body) == {"uid", "expires_in", "app"}
        assert body["uid"] == member.uid
        assert body["app"] == "default"
        assert 0 < body["expires_in"] <= member.tokens["expires_in"]

    def test_token_may_come_in_the_query(self, member: Phone) -> None:
        member.client.credentials()
        assert member.post(f"check_token?token={member.tokens['access']}").status_code == 200

    def test_token_may_come_as_bearer(self, member: Phone) -> None:
        assert member.post("check_token").status_code == 200

    def test_token_in_the_body_goes_before_the_header(self, member: Phone) -> None:
        assert is_refused(check(member, "rubbish"))

    def test_no_token_is_not_authenticated(self, phone: Phone) -> None:
        response = phone.post("check_token")
        assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")

    @pytest.mark.parametrize("token", ["rubbish", "a.b.c", "a" * 4000, "é.ü.ß", "..", "x\u2028"])
    def test_rubbish_is_refused(self, phone: Phone, token: str) -> None:
        assert is_refused(check(phone, token))

    def test_refresh_token_is_no_access_token(self, member: Phone) -> None:
        assert is_refused(check(member, member.tokens["refresh"]))
        assert is_refused(refresh(member, member.tokens["access"]))

    @pytest.mark.parametrize(
        "change",
        [
            {"iss": "another"},
            {"aud": "another"},
            {"token_type": "access"},
            {"sid": "not-a-uuid"},
            {"sid": 7},
            {"sid": "0" * 32},
            {"gen": "0"},
            {"exp": 1},
        ],
        ids=lambda change: "-".join(map(str, *change.items()))[:20],
    )
    def test_token_with_another_claim_is_refused(
        self, member: Phone, change: dict[str, Any]
    ) -> None:
        assert check(member, signed(claims(member.tokens["access"]))).status_code == 200
        assert is_refused(check(member, signed(claims(member.tokens["access"]) | change)))

    @pytest.mark.parametrize("claim", ["iss", "aud", "sid", "gen", "exp", "token_type", "jti"])
    def test_token_without_a_claim_is_refused(self, member: Phone, claim: str) -> None:
        payload = claims(member.tokens["access"])
        del payload[claim]
        assert is_refused(check(member, signed(payload)))

    def test_token_of_another_app_with_the_same_key_is_refused(self, member: Phone) -> None:
        assert is_refused(check(member, str(PlainAccessToken.for_user(User.objects.get()))))

    def test_unsigned_and_foreign_signatures_are_refused(self, member: Phone) -> None:
        header, payload, signature = member.tokens["access"].split(".")
        assert is_refused(check(member, f"{ALG_NONE}.{payload}."))
        assert is_refused(check(member, f"{ALG_NONE}.{payload}.{signature}"))
        assert is_refused(check(member, f"{header}.{payload}.{signature[::-1]}"))
        other_key = signed(claims(member.tokens["access"]), key="x" * 40)
        assert is_refused(check(member, other_key))
        other_algorithm = jwt.encode(
            claims(member.tokens["access"]), django_settings.SECRET_KEY, algorithm="HS512"
        )
        assert is_refused(check(member, other_algorithm))

    def test_our_token_is_refused_by_plain_simplejwt(self, member: Phone) -> None:
        """A host view with simplejwt's own class would not look at the session."""
        response = member.client.get("/plain-simplejwt/")
        assert response.status_code == 401

    def test_expired_token_is_refused(
        self, member: Phone, time_machine: TimeMachineFixture
    ) -> None:
        time_machine.move_to(timezone.now() + timedelta(seconds=member.tokens["expires_in"] + 1))
        assert is_refused(check(member, member.tokens["access"]))

    def test_lifetime_is_the_setting(self, phone: Phone, settings: Any) -> None:
        settings.SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": timedelta(seconds=77)}
        body = phone.sign_in().json()
        assert body["expires_in"] == 77
        payload = claims(body["access"])
        assert payload["exp"] - payload["iat"] == 77


class TestEndings:
    """After each of these, the very next request is refused."""

    def test_logout(self, member: Phone) -> None:
        response = member.post("logout")
        assert (response.status_code, response.content) == (204, b"")
        assert is_refused(check(member, member.tokens["access"]))
        assert is_refused(refresh(member))
        assert is_refused(member.post("logout"))

    def test_logout_ends_this_session_only(self, member: Phone, make_phone: Any) -> None:
        other_device = make_phone(member.name)
        other_device.sign_in()
        member.post("logout")
        assert check(member, other_device.tokens["access"]).status_code == 200

    def test_logout_of_all_ends_every_session_of_this_user_only(
        self, member: Phone, phone: Phone, make_phone: Any
    ) -> None:
        phone.sign_in()
        other_device = make_phone(member.name)
        other_device.sign_in()
        assert member.post("logout", {"all": True}).status_code == 204
        assert is_refused(check(member, other_device.tokens["access"]))
        assert is_refused(refresh(member, other_device.tokens["refresh"]))
        assert check(member, phone.tokens["access"]).status_code == 200

    def test_ban(self, member: Phone) -> None:
        User.objects.update(is_active=False)
        assert is_refused(check(member, member.tokens["access"]))
        assert is_refused(refresh(member))
        assert is_refused(member.client.get("/api/me"))

    def test_deletion_of_the_user(self, member: Phone) -> None:
        User.objects.get().delete()
        assert is_refused(check(member, member.tokens["access"]))
        assert is_refused(refresh(member))

    def test_end_of_the_session(self, member: Phone) -> None:
        LoginSession.objects.update(expires_at=timezone.now())
        assert is_refused(check(member, member.tokens["access"]))
        assert is_refused(refresh(member))

    def test_logout_drops_the_session_key(self, member: Phone) -> None:
        sid = LoginSession.objects.get().id
        assert session_keys.fetch(sid)
        member.post("logout")
        with pytest.raises(WechatSessionStale):
            session_keys.fetch(sid)

    def test_logged_out_tells_which_sessions(self, member: Phone, received: Any) -> None:
        sid = LoginSession.objects.get().id
        with received("user_logged_out") as heard:
            member.post("logout")
        [logged_out] = heard["user_logged_out"]
        assert logged_out["sessions"] == [sid]
        assert str(logged_out["user"].pk) == str(member.uid)


class TestRefresh:
    def test_refresh_gives_a_new_pair(
        self, member: Phone, time_machine: TimeMachineFixture
    ) -> None:
        time_machine.move_to(timezone.now() + timedelta(minutes=10))
        response = refresh(member)
        assert response.status_code == 200
        body = response.json()
        assert set(body) == {"access", "refresh", "expires_in"}
        assert body["access"] != member.tokens["access"]
        assert body["refresh"] != member.tokens["refresh"]
        assert check(member, body["access"]).json()["expires_in"] >= body["expires_in"] - 1

    def test_refresh_keeps_the_session_alive(
        self, member: Phone, time_machine: TimeMachineFixture
    ) -> None:
        before = LoginSession.objects.get()
        time_machine.move_to(timezone.now() + timedelta(days=20))
        body = refresh(member).json()
        after = LoginSession.objects.get()
        assert after.id == before.id
        assert after.expires_at - before.expires_at >= timedelta(days=19)
        time_machine.move_to(timezone.now() + timedelta(days=20))
        assert refresh(member, body["refresh"]).status_code == 200

    def test_old_token_within_the_grace_gets_the_same_new_pair(self, member: Phone) -> None:
        first = refresh(member).json()
        assert refresh(member).json() == first
        assert LoginSession.objects.get().generation == 1

    def test_old_token_after_the_grace_revokes_the_session(
        self, member: Phone, time_machine: TimeMachineFixture
    ) -> None:
        body = refresh(member).json()
        time_machine.move_to(timezone.now() + timedelta(seconds=31))
        assert is_refused(refresh(member))
        assert is_refused(refresh(member, body["refresh"]))
        assert is_refused(check(member, body["access"]))

    def test_grace_is_a_setting(
        self, member: Phone, settings: Any, time_machine: TimeMachineFixture
    ) -> None:
        settings.WXAUTH_REFRESH_GRACE = timedelta(minutes=2)
        body = refresh(member).json()
        time_machine.move_to(timezone.now() + timedelta(seconds=100))
        assert refresh(member).json() == body

    def test_token_two_generations_old_revokes_the_session_at_once(self, member: Phone) -> None:
        second = refresh(member).json()
        third = refresh(member, second["refresh"]).json()
        assert is_refused(refresh(member))
        assert is_refused(check(member, third["access"]))

    def test_access_token_stays_good_until_it_ends(self, member: Phone) -> None:
        refresh(member)
        assert check(member, member.tokens["access"]).status_code == 200

    def test_token_of_the_future_is_refused_without_revoking(self, member: Phone) -> None:
        """Only a lost database backup makes one: it is no theft, and no session to continue."""
        payload = claims(member.tokens["refresh"]) | {"gen": 5}
        assert is_refused(refresh(member, signed(payload)))
        assert check(member, member.tokens["access"]).status_code == 200
