"""POST bind_wechat, unbind_wechat, unbind_phone, and the guard of the last way in."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from tests.api.answers import check_refusal, row_counts
from tests.phone import Phone
from wxauth import services, session_keys, tokens
from wxauth.backends import WechatBackend
from wxauth.conf import WechatApp
from wxauth.exceptions import (
    LastSignInMethod,
    TokenInvalid,
    UserInactive,
    WechatSessionStale,
)
from wxauth.models import (
    AuditEvent,
    LoginSession,
    PhoneNumber,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)
from wxauth.services.ways_in import check_way_in

Kind = AuditEvent.Kind
CHOICES = ["bind_phone", "bind_wechat"]


EMAIL_FIELD = get_user_model().get_email_field_name()


class BackendWithMail(WechatBackend):
    """Of a project in which people sign in by e-mail, too."""

    def has_other_way_in(self, user: Any) -> bool:
        return bool(getattr(user, EMAIL_FIELD))


def bind(phone: Phone, other: Phone | None = None, **body: Any) -> Any:
    """Link the WeChat account of ``other``, as opened in their app, to the user of ``phone``."""
    other = other or phone
    return phone.post("bind_wechat", {"code": other.code(), "app": other.app.alias, **body})


def unbind(phone: Phone, **body: Any) -> Any:
    return phone.post("unbind_wechat", body or {"app": phone.app.alias})


def age(minutes: int) -> None:
    """Make all sessions this old; their tokens stay good."""
    LoginSession.objects.update(created_at=timezone.now() - timedelta(minutes=minutes))


@pytest.fixture
def elsewhere(make_phone: Any, member: Phone, foreign_app: WechatApp) -> Phone:
    """The member's phone in an app of another union scope, where the member is not known yet."""
    return make_phone(member.name, foreign_app)


@pytest.fixture
def host_user(make_user: Callable[..., Any], make_phone: Any) -> Phone:
    """Somebody whom the host has made, with a name and a password, signed in without WeChat."""
    user = make_user("employee", password="correct horse")
    now = timezone.now()
    session = LoginSession.objects.create(
        user=user, app="default", rotated_at=now, expires_at=tokens.session_end(now)
    )
    phone = make_phone("employee")
    pair = tokens.issue(session)
    phone.tokens = {"access": pair.access, "refresh": pair.refresh, "uid": user.pk}
    phone.client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    return phone


class TestBind:
    def test_identity_is_linked(self, member: Phone, elsewhere: Phone, received: Any) -> None:
        with received("wechat_bound") as heard:
            response = bind(member, elsewhere)
        assert response.status_code == 201, response.content
        identity = WechatIdentity.objects.get(app_id=elsewhere.app.app_id)
        assert response.json() == {"identity": identity.pk}
        assert (str(identity.user_id), identity.openid) == (str(member.uid), elsewhere.openid)
        assert WechatUnion.objects.filter(scope="elsewhere").count() == 1
        assert elsewhere.sign_in("login").json()["uid"] == member.uid
        [told] = heard["wechat_bound"]
        assert (told["identity"], told["by"]) == (identity, "wechat")
        event = AuditEvent.objects.get()
        assert (event.kind, event.user_key, event.app) == (
            Kind.WECHAT_BOUND,
            str(member.uid),
            "foreign",
        )
        assert elsewhere.openid not in str(event.facts)

    def test_once_more_changes_nothing(self, member: Phone, elsewhere: Phone) -> None:
        bind(member, elsewhere)
        rows = row_counts()
        response = bind(member, elsewhere)
        assert response.status_code == 200
        assert row_counts() == rows
        assert AuditEvent.objects.count() == 1

    def test_own_identity_of_the_session_may_be_bound_and_its_key_is_kept(
        self, member: Phone
    ) -> None:
        assert bind(member).status_code == 200
        sid = LoginSession.objects.get().id
        assert session_keys.fetch(sid) == member.simulator.session_key("bob", member.app.app_id)

    def test_key_of_another_app_does_not_replace_the_one_of_the_session(
        self, member: Phone, elsewhere: Phone
    ) -> None:
        sid = LoginSession.objects.get().id
        assert bind(member, elsewhere).status_code == 201
        assert session_keys.fetch(sid) == member.simulator.session_key("bob", member.app.app_id)

    def test_unionid_that_is_ones_own_is_shared(
        self, member: Phone, make_phone: Any, other_app: WechatApp
    ) -> None:
        assert bind(member, make_phone(member.name, other_app)).status_code == 201
        assert WechatUnion.objects.count() == 1

    def test_user_of_the_host_gets_wechat_and_its_session_key(self, host_user: Phone) -> None:
        assert bind(host_user).status_code == 201
        assert host_user.post("check_session").json() == {"valid": True, "action": None}
        assert host_user.sign_in("login").json()["uid"] == host_user.uid

    def test_identity_of_another_user_is_refused(
        self, member: Phone, elsewhere: Phone, received: Any
    ) -> None:
        assert elsewhere.sign_in().status_code == 201
        rows = row_counts()
        with received("wechat_bound") as heard:
            body = check_refusal(bind(member, elsewhere), 409, "identity_taken")
        assert body["choices"] == ["use_another_wechat_account", "sign_in_to_other_account"]
        assert row_counts() == rows
        assert elsewhere.sign_in("login").json()["uid"] == elsewhere.uid != member.uid
        assert heard["wechat_bound"] == []

    def test_unionid_of_another_user_is_refused_and_written_down(
        self, member: Phone, make_phone: Any, other_app: WechatApp
    ) -> None:
        holder = make_phone("carol")
        holder.sign_in()
        rows = row_counts()
        response = bind(member, make_phone("carol", other_app))
        check_refusal(response, 409, "identity_taken")
        event = AuditEvent.objects.get()
        assert sum(row_counts().values()) == sum(rows.values()) + 1, "the event"
        assert (event.kind, event.user_key) == (Kind.UNION_CONFLICT, str(member.uid))
        assert event.facts["holder"] == str(holder.uid)

    def test_second_identity_in_one_app_is_refused(self, member: Phone, make_phone: Any) -> None:
        rows = row_counts()
        check_refusal(bind(member, make_phone("carol")), 409, "already_linked")
        assert row_counts() == rows

    def test_sign_in_older_than_ten_minutes_costs_no_code(
        self, member: Phone, elsewhere: Phone
    ) -> None:
        """Incident 23: a token that lay about links nobody."""
        age(11)
        calls = len(member.simulator.requests)
        body = check_refusal(bind(member, elsewhere), 403, "fresh_sign_in_required")
        assert body["action"] == "login_again"
        assert len(member.simulator.requests) == calls
        age(9)
        assert bind(member, elsewhere).status_code == 201

    def test_refresh_does_not_make_a_sign_in_fresh(self, member: Phone) -> None:
        age(11)
        pair = member.post("refresh_token", {"refresh": member.tokens["refresh"]}).json()
        member.client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
        check_refusal(bind(member), 403, "fresh_sign_in_required")

    def test_get_links_nobody(self, member: Phone, elsewhere: Phone) -> None:
        """Incident 23: linking by plain GET."""
        response = member.client.get(f"/api/bind_wechat?code={elsewhere.code()}")
        check_refusal(response, 405, "method_not_allowed")
        assert WechatIdentity.objects.count() == 1

    def test_used_and_foreign_codes_are_refused(self, member: Phone, elsewhere: Phone) -> None:
        code = elsewhere.code()
        body = {"code": code, "app": member.app.alias}
        check_refusal(member.post("bind_wechat", body), 400, "wechat_code_invalid")
        assert bind(member, elsewhere, code=code).status_code == 201
        check_refusal(bind(member, elsewhere, code=code), 400, "wechat_code_invalid")

    @pytest.mark.parametrize("route", ["bind_wechat", "unbind_wechat", "unbind_phone"])
    def test_disabled_user_is_refused(self, member: Phone, route: str) -> None:
        get_user_model().objects.update(is_active=False)
        body = {"code": member.code()} if route == "bind_wechat" else {"app": "default"}
        check_refusal(member.post(route, body), 401, "token_invalid")


class TestUnbindWechat:
    @pytest.mark.parametrize("by", ["app", "identity"])
    def test_identity_is_unlinked_and_its_union_free(
        self, member: Phone, elsewhere: Phone, received: Any, by: str
    ) -> None:
        bind(member, elsewhere)
        identity = WechatIdentity.objects.get(app_id=elsewhere.app.app_id)
        body = {"app": "foreign"} if by == "app" else {"identity": identity.pk}
        AuditEvent.objects.all().delete()
        with received("wechat_unbound") as heard:
            response = unbind(member, **body)
        assert (response.status_code, response.json()) == (200, {"signed_out": False})
        assert WechatIdentity.objects.get().app_id == member.app.app_id
        assert WechatUnion.objects.get().scope == "main"
        assert [each["identity"] for each in heard["wechat_unbound"]] == [identity]
        event = AuditEvent.objects.get()
        assert (event.kind, event.app, event.facts["identity"]) == (
            Kind.WECHAT_UNBOUND,
            "foreign",
            identity.pk,
        )
        assert elsewhere.sign_in().status_code == 201, "it may be somebody else's now"

    def test_union_stays_while_another_identity_bears_it(
        self, member: Phone, make_phone: Any, other_app: WechatApp
    ) -> None:
        there = make_phone(member.name, other_app)
        there.sign_in()
        assert unbind(there).status_code == 200
        assert WechatUnion.objects.count() == 1
        member.sign_in("login")
        assert member.client.get("/api/me").status_code == 200
        # One person in one scope is one user: there they are known by the unionid again.
        assert there.sign_in("login").json()["uid"] == member.uid

    def test_sessions_of_that_identity_end_and_the_others_do_not(
        self, member: Phone, elsewhere: Phone, received: Any
    ) -> None:
        bind(member, elsewhere)
        elsewhere.sign_in("login")
        old = LoginSession.objects.get(identity__app_id=elsewhere.app.app_id)
        assert session_keys.fetch(old.id)
        with received("user_logged_out") as heard:
            assert unbind(member, app="foreign").json() == {"signed_out": False}
        with pytest.raises(WechatSessionStale):
            session_keys.fetch(old.id)
        check_refusal(elsewhere.client.get("/api/me"), 401, "token_invalid")
        assert member.client.get("/api/me").status_code == 200
        assert [each["sessions"] for each in heard["user_logged_out"]] == [[old.id]]

    def test_session_that_began_with_it_ends_as_well(self, member: Phone, elsewhere: Phone) -> None:
        bind(member, elsewhere)
        assert unbind(member).json() == {"signed_out": True}
        check_refusal(member.client.get("/api/me"), 401, "token_invalid")
        assert elsewhere.sign_in("login").json()["uid"] == member.uid

    def test_all_identities_in_the_app_go_with_its_alias(
        self, member: Phone, elsewhere: Phone
    ) -> None:
        """As a merge of two users may leave them."""
        bind(member, elsewhere)
        user = get_user_model().objects.get()
        WechatIdentity.objects.create(user=user, app_id=member.app.app_id, openid="o" * 28)
        assert unbind(member).status_code == 200
        assert WechatIdentity.objects.get().app_id == elsewhere.app.app_id

    def test_app_that_is_not_linked_or_not_known(self, member: Phone) -> None:
        check_refusal(unbind(member, app="foreign"), 404, "not_found")
        check_refusal(unbind(member, app="nonsense"), 400, "unknown_app")

    def test_identity_of_another_user_is_not_found(self, member: Phone, elsewhere: Phone) -> None:
        elsewhere.sign_in()
        other = WechatIdentity.objects.get(app_id=elsewhere.app.app_id)
        rows = row_counts()
        check_refusal(unbind(member, identity=other.pk), 404, "not_found")
        check_refusal(unbind(member, identity=2**63 - 1), 404, "not_found")
        assert row_counts() == rows

    def test_sign_in_older_than_ten_minutes_unlinks_nothing(
        self, member: Phone, elsewhere: Phone
    ) -> None:
        bind(member, elsewhere)
        age(11)
        check_refusal(unbind(member), 403, "fresh_sign_in_required")
        assert WechatIdentity.objects.count() == 2


class TestLastWayIn:
    """Nobody can lock themselves out."""

    def test_only_identity_is_kept(self, member: Phone) -> None:
        rows = row_counts()
        body = check_refusal(unbind(member), 409, "last_sign_in_method")
        assert body["choices"] == CHOICES
        assert row_counts() == rows
        assert member.client.get("/api/me").status_code == 200
        assert not AuditEvent.objects.exists()

    def test_phone_lets_its_owner_in_again(self, member: Phone) -> None:
        member.bind_phone()
        assert unbind(member).status_code == 200
        button = member.phone_button()
        response = member.sign_in("phone_login", phone_code=button["code"], code=member.code())
        assert (response.status_code, response.json()["uid"]) == (200, member.uid)

    def test_phone_of_somebody_whose_unionid_is_another_users_counts_for_messages_only(
        self, make_phone: Any, other_app: WechatApp, settings: Any
    ) -> None:
        """By the phone button, it would lead to the other user."""
        here, there = make_phone("dave"), make_phone("dave", other_app)
        person = here.simulator.user("dave")
        person.unionid_hidden = True
        here.sign_in()
        there.sign_in()
        there.bind_phone()
        person.unionid_hidden = False
        here.sign_in()
        assert there.sign_in().json()["union_conflict"] is True
        settings.WXAUTH_SMS_BACKEND = None
        check_refusal(unbind(there), 409, "last_sign_in_method")
        settings.WXAUTH_SMS_BACKEND = "wxauth.sms.memory.MemorySender"
        assert unbind(there).status_code == 200

    def test_password_of_a_made_up_name_does_not_count(self, member: Phone) -> None:
        get_user_model().objects.update(password=make_password("x"))
        check_refusal(unbind(member), 409, "last_sign_in_method")

    def test_password_of_a_name_of_the_hosts_counts(self, host_user: Phone) -> None:
        bind(host_user)
        assert unbind(host_user).json() == {"signed_out": False}

    def test_password_of_a_user_registered_here_under_a_made_up_name_does_not_count(
        self, host_user: Phone
    ) -> None:
        """Made by a ``WXAUTH_CREATE_USER`` that has names of its own."""
        bind(host_user)
        user = get_user_model().objects.get()
        WechatProfile.objects.create(user=user, app="default")
        check_refusal(unbind(host_user), 409, "last_sign_in_method")

    def test_way_in_that_only_the_project_knows_counts(self, member: Phone, settings: Any) -> None:
        settings.AUTHENTICATION_BACKENDS = [f"{__name__}.{BackendWithMail.__name__}"]
        check_refusal(unbind(member), 409, "last_sign_in_method")
        get_user_model().objects.update(**{EMAIL_FIELD: "alice@shop.example"})
        assert unbind(member).status_code == 200

    def test_identity_in_an_app_that_is_no_more_does_not_count(
        self, member: Phone, elsewhere: Phone, settings: Any
    ) -> None:
        bind(member, elsewhere)
        settings.WXAUTH_APPS = {k: v for k, v in settings.WXAUTH_APPS.items() if k != "foreign"}
        check_refusal(unbind(member), 409, "last_sign_in_method")
        gone = WechatIdentity.objects.get(app_id=elsewhere.app.app_id)
        assert unbind(member, identity=gone.pk).status_code == 200

    def test_phone_counts_where_somebody_can_show_it(self, make_user: Any, settings: Any) -> None:
        user = make_user()
        user.set_unusable_password()
        settings.WXAUTH_SMS_BACKEND = None
        check_way_in(user, identities=[], has_phone=True)
        site = {"site": settings.WXAUTH_APPS["site"]}
        settings.WXAUTH_APPS = site
        with pytest.raises(LastSignInMethod):
            check_way_in(user, identities=[], has_phone=True)
        settings.WXAUTH_SMS_BACKEND = "wxauth.sms.memory.MemorySender"
        check_way_in(user, identities=[], has_phone=True)
        settings.WXAUTH_APPS = {}
        with pytest.raises(LastSignInMethod):
            check_way_in(user, identities=[], has_phone=True)

    def test_password_with_a_phone_counts_where_our_backend_checks_it(
        self, make_user: Any, settings: Any
    ) -> None:
        user = make_user()
        setattr(user, user.USERNAME_FIELD, "wx_0123456789")
        user.set_password("correct horse")
        settings.WXAUTH_SMS_BACKEND = None
        settings.WXAUTH_APPS = {"site": settings.WXAUTH_APPS["site"]}
        check_way_in(user, identities=[], has_phone=True)
        with pytest.raises(LastSignInMethod):
            check_way_in(user, identities=[], has_phone=False)
        settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
        with pytest.raises(LastSignInMethod):
            check_way_in(user, identities=[], has_phone=True)

    def test_phone_is_kept_when_it_is_the_only_one(self, host_user: Phone) -> None:
        user = get_user_model().objects.get()
        user.set_unusable_password()
        user.save()
        PhoneNumber.objects.create(
            user=user, number="+8617400000000", source="sms", verified_at=timezone.now()
        )
        rows = row_counts()
        check_refusal(host_user.post("unbind_phone"), 409, "last_sign_in_method")
        assert row_counts() == rows


class TestUnbindPhone:
    def test_number_is_free_again(self, member: Phone, make_phone: Any, received: Any) -> None:
        member.bind_phone()
        number = PhoneNumber.objects.get().number
        with received("phone_unbound") as heard:
            response = member.post("unbind_phone")
        assert (response.status_code, response.content) == (204, b"")
        assert not PhoneNumber.objects.exists()
        assert [each["phone"].number for each in heard["phone_unbound"]] == [number]
        event = AuditEvent.objects.get(kind=Kind.PHONE_UNBOUND)
        assert number not in str(event.facts)
        assert event.facts["phone"].endswith(number[-4:])
        other = make_phone("carol")
        other.sign_in()
        other.simulator.user("carol").phone_number = member.simulator.user("bob").phone_number
        assert other.bind_phone().status_code == 200

    @pytest.mark.parametrize("is_gone", [False, True])
    def test_user_who_left_meanwhile_is_refused(self, member: Phone, is_gone: bool) -> None:
        member.bind_phone()
        session = LoginSession.objects.select_related("user").get()
        if is_gone:
            get_user_model().objects.all().delete()
        else:
            get_user_model().objects.update(is_active=False)
        with pytest.raises(TokenInvalid if is_gone else UserInactive):
            services.unbind_phone(session=session)
        assert PhoneNumber.objects.exists() is not is_gone

    def test_number_of_a_neighbour_stays(self, member: Phone, make_phone: Any) -> None:
        neighbour = make_phone("carol")
        for phone in (member, neighbour):
            phone.sign_in()
            assert phone.bind_phone().status_code == 200
        assert member.post("unbind_phone").status_code == 204
        assert str(PhoneNumber.objects.get().user_id) == str(neighbour.uid)

    def test_without_a_number_nothing_happens(self, member: Phone) -> None:
        assert member.post("unbind_phone").status_code == 204
        assert not AuditEvent.objects.exists()

    def test_sign_in_older_than_ten_minutes_unbinds_nothing(self, member: Phone) -> None:
        member.bind_phone()
        age(11)
        check_refusal(member.post("unbind_phone"), 403, "fresh_sign_in_required")
        assert PhoneNumber.objects.exists()
