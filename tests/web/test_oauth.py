"""A browser's way to WeChat and back, and every way to get it wrong."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import make_password
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core.cache import caches
from django.db import OperationalError, connections
from django.http import HttpRequest
from django.test import Client
from django.test.utils import override_script_prefix
from django.utils import timezone

from tests.cache_dump import everything_in_the_cache
from tests.web.conftest import Browser, sent_to
from wxauth import oauth_states, services
from wxauth.conf import WechatApp
from wxauth.exceptions import TokenInvalid
from wxauth.models import LoginSession, WechatIdentity, WechatProfile, WechatUnion
from wxauth.simulator import WechatSimulator

pytestmark = pytest.mark.django_db

User = get_user_model()
MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
EXCHANGE, USER_INFO = "/sns/oauth2/access_token", "/sns/userinfo"


def check_page(response: Any, status: int, code: str) -> str:
    """Assert that this is our page for a failure; return its text."""
    text = response.content.decode()
    assert response.status_code == status, text
    assert f'<p class="code">{code}</p>' in text
    assert "<script" not in text
    assert "no-store" in response["Cache-Control"]
    assert response["Content-Security-Policy"].startswith("default-src 'none'")
    assert response["Referrer-Policy"] == "no-referrer"
    return text


# There


def test_address_is_exact(browser: Browser, wechat: WechatSimulator) -> None:
    response = browser.client.get("/wechat/start/account/")
    assert re.fullmatch(
        re.escape(f"{wechat.base_url}/connect/oauth2/authorize?appid=wxaccount00000001")
        + r"&redirect_uri=http%3A%2F%2Ftestserver%2Fwechat%2Fcallback%2Faccount%2F"
        + r"&response_type=code&scope=snsapi_userinfo&state=[0-9a-f]{40}#wechat_redirect",
        response["Location"],
    )
    site = browser.client.get("/wechat/start/site/")["Location"]
    assert urlsplit(site).path == "/connect/qrconnect"
    assert sent_to(browser.client.get("/wechat/start/site/"))["scope"] == "snsapi_login"
    assert browser.start(scope="base")["scope"] == "snsapi_base"


def test_browser_gets_a_cookie_that_scripts_and_other_sites_do_not(browser: Browser) -> None:
    browser.start()
    cookie = browser.client.cookies["wxauth_browser"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not cookie["secure"]
    assert cookie["max-age"] == 86_400
    value = cookie.value
    browser.start()
    assert browser.client.cookies["wxauth_browser"].value == value  # for tabs that are on their way


def test_cookie_of_a_secure_site_cannot_be_planted_by_a_neighbour(browser: Browser) -> None:
    def get(path: str, **query: str) -> Any:
        return browser.client.get(path, query, secure=True)

    state = sent_to(get("/wechat/start/account/"))["state"]
    (name,) = browser.client.cookies
    cookie = browser.client.cookies[name]
    assert name == "__Host-wxauth_browser"
    assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
    secret = cookie.value
    del browser.client.cookies[name]
    browser.client.cookies["wxauth_browser"] = secret  # as shop.example.com may set it
    way_back = {"state": state, "code": browser.code()}
    check_page(get("/wechat/callback/account/", **way_back), 400, "state_invalid")
    browser.client.cookies[name] = secret
    assert get("/wechat/callback/account/", **way_back).status_code == 302


@pytest.mark.parametrize("alias", ["default", "native", "nobody"])
def test_app_without_a_page_goes_nowhere(browser: Browser, alias: str) -> None:
    check_page(browser.client.get(f"/wechat/start/{alias}/"), 400, "unknown_app")


# And back


@pytest.mark.parametrize(
    ("alias", "scope"), [("account", "userinfo"), ("account", "base"), ("site", "")]
)
def test_new_person_is_registered_and_signed_in(
    browser: Browser, wechat: WechatSimulator, alias: str, scope: str
) -> None:
    wechat.user("alice").nickname = "小红 🐟\x14"
    state = browser.start(alias, next="/deliveries/", **({"scope": scope} if scope else {}))[
        "state"
    ]
    how = {"scope": "snsapi_base"} if scope == "base" else {}
    before = browser.client.session.session_key
    response = browser.back(state, browser.code(alias, **how), alias)
    assert (response.status_code, response["Location"]) == (302, "/deliveries/")
    user = User.objects.get()
    assert browser.user_id == str(user.pk)
    assert browser.client.session.session_key != before
    assert not user.has_usable_password()
    session = LoginSession.objects.get()
    assert (session.user, session.app) == (user, alias)
    age = timedelta(seconds=browser.client.session.get_expiry_age())
    assert abs(session.expires_at - session.created_at - age) < timedelta(minutes=1)
    assert WechatProfile.objects.get().nickname == ("" if scope == "base" else "小红 🐟")


def test_one_person_is_one_user_across_all_apps(
    make_browser: Callable[..., Browser], wechat: WechatSimulator, apps: dict[str, WechatApp]
) -> None:
    code = wechat.login("alice", apps["default"].app_id)
    uid = Client().post("/api/authorize", {"code": code}, "application/json").json()["uid"]
    for alias in ("account", "site"):
        browser = make_browser()
        assert browser.sign_in(alias).status_code == 302
        assert browser.user_id == str(uid)
    assert User.objects.count() == WechatUnion.objects.count() == 1
    assert WechatIdentity.objects.count() == 3


def test_silent_sign_in_without_a_unionid_is_completed_later(browser: Browser) -> None:
    state = browser.start(scope="base")["state"]
    browser.back(state, browser.code(scope="snsapi_base"))
    assert WechatIdentity.objects.get().unionid is None
    assert browser.sign_in().status_code == 302
    assert WechatIdentity.objects.get().unionid
    assert User.objects.count() == 1


def test_way_costs_two_calls_of_wechat(browser: Browser, wechat: WechatSimulator) -> None:
    browser.sign_in()
    assert [call.path for call in wechat.requests] == [EXCHANGE, USER_INFO]


# Twice


@pytest.mark.parametrize("same_code", [True, False], ids=["one code", "two codes"])
@pytest.mark.parametrize("flow", ["session", "ticket"])
def test_callback_that_comes_twice_ends_signed_in(
    browser: Browser, wechat: WechatSimulator, same_code: bool, flow: str
) -> None:
    state, code = browser.start(next="/deliveries/", flow=flow)["state"], browser.code()
    first = browser.back(state, code)
    second = browser.back(state, code if same_code else browser.code())
    assert first.status_code == second.status_code == 302
    assert len(wechat.calls(EXCHANGE)) == 1
    assert LoginSession.objects.count() == 1
    if flow == "session":
        assert second["Location"] == "/deliveries/"
        assert browser.user_id == str(User.objects.get().pk)


@pytest.mark.django_db(transaction=True)
def test_callbacks_at_the_same_moment_are_one_sign_in(
    browser: Browser, wechat: WechatSimulator
) -> None:
    state, code = browser.start(next="/deliveries/")["state"], browser.code()
    wechat.fail(EXCHANGE, delay=0.5)

    def come_back(_: int) -> Any:
        client = Client()
        client.cookies = browser.client.cookies.copy()
        try:
            return client.get("/wechat/callback/account/", {"state": state, "code": code})
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(come_back, range(4)))
    assert sorted(response.status_code for response in responses) == [200, 200, 200, 302]
    assert {response.get("Refresh") for response in responses} == {"1", None}
    assert len(wechat.calls(EXCHANGE)) == 1
    assert browser.back(state, code)["Location"] == "/deliveries/"
    assert User.objects.count() == LoginSession.objects.count() == 1


def test_callback_that_comes_again_does_not_displace_who_has_signed_in_since(
    browser: Browser, alice_by_password: Any
) -> None:
    """Not even in a project without our middleware."""
    browser.client.logout()
    state, code = browser.start()["state"], browser.code()
    browser.back(state, code)
    browser.client.force_login(alice_by_password, MODEL_BACKEND)
    check_page(browser.back(state, code), 400, "state_invalid")
    assert browser.user_id == str(alice_by_password.pk)


def test_second_callback_after_a_failure_says_so(browser: Browser, wechat: WechatSimulator) -> None:
    state = browser.start()["state"]
    wechat.fail(EXCHANGE, fault="html502")
    check_page(browser.back(state), 503, "wechat_unavailable")
    check_page(browser.back(state), 400, "state_invalid")
    assert browser.user_id is None


@pytest.mark.parametrize(("kind", "status"), [(OperationalError, 503), (RuntimeError, 500)])
def test_second_callback_after_a_fault_does_not_wait(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, kind: type[Exception], status: int
) -> None:
    def fail(**kwargs: Any) -> None:
        raise kind("of ours")

    state, code = browser.start()["state"], browser.code()
    browser.client.raise_request_exception = False
    monkeypatch.setattr(services, "sign_in_by_oauth", fail)
    assert browser.back(state, code).status_code == status
    check_page(browser.back(state, code), 400, "state_invalid")


@pytest.mark.parametrize("apart", [90, -90])
def test_callback_after_one_that_was_cut_off_does_not_wait_for_ever(
    local_memory: None,
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
    time_machine: Any,
    apart: int,
) -> None:
    """The process was killed, or the cache had gone, before it was noted what came of it."""
    state, code = browser.start(next="/orders/")["state"], browser.code()
    with monkeypatch.context() as patch:
        patch.setattr(oauth_states, "finish", lambda *_: None)
        browser.back(state, code)
    browser.client.cookies.pop("sessionid")
    assert browser.back(state, code)["Refresh"] == "1"
    time_machine.move_to(
        timezone.now() + timedelta(seconds=apart)
    )  # or to a machine whose clock differs
    page = check_page(browser.back(state, code), 400, "state_invalid")
    assert "/wechat/start/account/?next=%2Forders%2F" in page
    assert browser.user_id is None


# What is refused


@pytest.mark.parametrize(
    "state", ["", "forged", "0" * 40, "\x00", "𝟙é", "a" * 5000, "https://evil.example/"]
)
def test_forged_state_is_refused(browser: Browser, wechat: WechatSimulator, state: str) -> None:
    """Incidents 12 and 37: it is neither believed nor where one is sent."""
    browser.start()
    text = check_page(browser.back(state), 400, "state_invalid")
    assert "/wechat/start/account/" in text
    assert wechat.calls(EXCHANGE) == []
    assert not User.objects.exists()


def test_callback_without_anything_is_refused(
    client: Client, wechat: WechatSimulator, db: None
) -> None:
    """Incident 12."""
    check_page(client.get("/wechat/callback/account/"), 400, "state_invalid")


def test_login_csrf_with_a_foreign_state_is_refused(
    make_browser: Callable[..., Browser], wechat: WechatSimulator
) -> None:
    """Incident 12."""
    attacker, victim = make_browser("mallory"), make_browser("alice")
    victim.start()
    state = attacker.start()["state"]
    check_page(victim.back(state, attacker.code()), 400, "state_invalid")
    check_page(make_browser().back(state, attacker.code()), 400, "state_invalid")  # no cookie
    assert victim.user_id is None
    assert wechat.calls(EXCHANGE) == []


def test_state_of_another_app_is_refused(browser: Browser, wechat: WechatSimulator) -> None:
    """Incident 12."""
    state = browser.start("account")["state"]
    check_page(browser.back(state, alias="site"), 400, "state_invalid")
    assert wechat.calls(EXCHANGE) == []


def test_what_the_address_claims_does_not_count(
    browser: Browser, make_browser: Callable[..., Browser], apps: dict[str, WechatApp]
) -> None:
    """Incidents 13 and 29: who it is, only WeChat tells."""
    make_browser("bob").sign_in()
    claims = {
        "openid": browser.wechat.openid("bob", apps["account"].app_id),
        "unionid": WechatUnion.objects.get().unionid,
        "access_token": "made-up",
    }
    state = browser.start()["state"]
    query = {"state": state, "code": browser.code(), **claims}
    assert browser.client.get("/wechat/callback/account/", query).status_code == 302
    assert WechatIdentity.objects.get(user=browser.user_id).openid != claims["openid"]
    assert User.objects.count() == 2
    query = {"state": browser.start()["state"], "code": "", **claims}
    check_page(make_browser().client.get("/wechat/callback/account/", query), 400, "state_invalid")


def test_code_of_another_app_is_refused(browser: Browser) -> None:
    state = browser.start("account")["state"]
    code = browser.code("site")
    check_page(browser.back(state, code), 400, "wechat_code_invalid")
    assert not User.objects.exists()


def test_expired_state_is_refused(local_memory: None, browser: Browser, time_machine: Any) -> None:
    """Incident 12."""
    state = browser.start()["state"]
    time_machine.move_to(timezone.now() + timedelta(seconds=605))
    check_page(browser.back(state), 400, "state_invalid")


def test_used_state_of_an_ended_session_signs_nobody_in(browser: Browser) -> None:
    """Incident 12."""
    state = browser.start()["state"]
    browser.back(state)
    services.logout_everywhere(user=User.objects.get())
    check_page(browser.back(state), 400, "state_invalid")


@pytest.mark.parametrize("how", ["wechat", "password"])
def test_callback_that_comes_again_does_not_bring_back_who_was_there_before(
    browser: Browser, settings: Any, how: str
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "wxauth.web.middleware.LoginSessionMiddleware"]
    state, code = browser.start()["state"], browser.code()
    browser.back(state, code)
    alice = LoginSession.objects.get()
    if how == "wechat":
        browser.name = "bob"
        browser.sign_in()
    else:
        credentials = {User.USERNAME_FIELD: "bob@shop.example", "password": "bob's own"}
        User.objects.create_superuser(**credentials)
        fields = {"username": "bob@shop.example", "password": "bob's own"}
        assert browser.client.post("/admin/login/", fields).status_code == 302
    bob = browser.user_id
    assert bob not in (None, str(alice.user_id))
    check_page(browser.back(state, code), 400, "state_invalid")
    assert browser.user_id == bob
    alice.refresh_from_db()
    assert alice.revoked_at is not None


def test_state_in_the_way_of_json_clients_is_another_one(browser: Browser) -> None:
    fields = {"app": "account", "redirect_uri": "https://spa.example/back"}
    begun = browser.client.post("/api/oauth/start", fields, "application/json").json()
    browser.client.cookies["wxauth_browser"] = begun["verifier"]
    check_page(browser.back(begun["state"]), 400, "state_invalid")


@pytest.mark.parametrize("code", ["", None])
def test_person_who_refuses_is_told_what_to_do(browser: Browser, code: Any) -> None:
    state = browser.start(next="/deliveries/?a=1", flow="ticket", scope="base")["state"]
    query = {"state": state} if code is None else {"state": state, "code": code}
    text = check_page(
        browser.client.get("/wechat/callback/account/", query), 403, "authorization_refused"
    )
    # To the same place, and in the same way.
    again = "/wechat/start/account/?next=%2Fdeliveries%2F%3Fa%3D1&amp;scope=base&amp;flow=ticket"
    assert f'href="{again}"' in text
    assert browser.back(state).status_code == 302  # and may think again


def test_snapshot_visitor_is_nobody(browser: Browser, wechat: WechatSimulator) -> None:
    """Incident 6."""
    state = browser.start()["state"]
    check_page(browser.back(state, browser.code(is_snapshot=True)), 403, "wechat_snapshot_user")
    assert not User.objects.exists()
    assert not WechatIdentity.objects.exists()
    assert wechat.calls(USER_INFO) == []


def test_snapshot_that_does_not_say_so_is_nobody_either(
    browser: Browser, wechat: WechatSimulator
) -> None:
    wechat.fail(USER_INFO, errcode=48001)
    check_page(browser.sign_in(), 403, "wechat_scope_missing")
    assert not User.objects.exists()


def test_inactive_user_is_refused(browser: Browser) -> None:
    """Incidents 1 and 30."""
    browser.sign_in()
    User.objects.update(is_active=False)
    rows = LoginSession.objects.count()
    browser.client = Client()
    check_page(browser.sign_in(), 403, "user_inactive")
    assert browser.user_id is None
    assert LoginSession.objects.count() == rows


@pytest.mark.parametrize("path", [EXCHANGE, USER_INFO])
@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ({"errcode": -1, "times": None}, 503, "wechat_unavailable"),
        ({"errcode": 45011}, 429, "wechat_rate_limited"),
        ({"errcode": 45009}, 503, "wechat_quota_exceeded"),
        ({"errcode": 50002}, 403, "wechat_user_blocked"),
        ({"fault": "html502"}, 503, "wechat_unavailable"),
        ({"fault": "empty"}, 503, "wechat_unavailable"),
        ({"fault": "json_array"}, 503, "wechat_unavailable"),
        ({"fault": "truncated"}, 503, "wechat_unavailable"),
        ({"fault": "invalid_utf8"}, 503, "wechat_unavailable"),
        ({"fault": "reset", "times": None}, 503, "wechat_unavailable"),
    ],
)
def test_wechat_in_trouble_is_a_page_and_nobody_is_signed_in(
    browser: Browser,
    wechat: WechatSimulator,
    path: str,
    how: dict[str, Any],
    status: int,
    code: str,
) -> None:
    state = browser.start()["state"]
    wechat.fail(path, **how)
    text = check_page(browser.back(state), status, code)
    assert ('href="/wechat/start/account/?' in text) is (code != "wechat_user_blocked")
    assert browser.user_id is None
    assert not User.objects.exists()


@pytest.mark.parametrize("login_url", ["/accounts/login/", "admin:login"])
@pytest.mark.parametrize("errcode", [-1, 40029, 40163, 99999])
def test_page_of_a_failure_leads_back_to_wechat(
    browser: Browser, wechat: WechatSimulator, settings: Any, login_url: str, errcode: int
) -> None:
    settings.LOGIN_URL = login_url
    state = browser.start()["state"]
    wechat.fail(EXCHANGE, errcode=errcode, times=2)
    text = browser.back(state).content.decode()
    assert re.findall(r'class="button" (href="[^"]*")', text) == [
        'href="/wechat/start/account/?next=%2Forders%2F&amp;flow=session"'
    ]


def test_no_secret_is_logged_or_shown_when_the_connection_breaks(
    browser: Browser, wechat: WechatSimulator, settings: Any, caplog: Any
) -> None:
    """Incident 24."""
    caplog.set_level("DEBUG")
    settings.WXAUTH_TIMEOUTS = (0.2, 0.2)
    state, code = browser.start()["state"], browser.code()
    wechat.fail(EXCHANGE, fault="read_timeout_after_processing")
    text = check_page(browser.back(state, code), 504, "wechat_timeout")
    everything = text + caplog.text
    for secret in (browser.apps["account"].app_secret, code, state):
        assert secret not in everything


def test_grant_is_told_to_nobody(browser: Browser, wechat: WechatSimulator, caplog: Any) -> None:
    """Incident 42: the tokens of WeChat leave with no redirect."""
    caplog.set_level("DEBUG")
    response = browser.sign_in(flow="ticket", next="/deliveries/")
    token = wechat.calls(USER_INFO)[0].query["access_token"]
    kept = everything_in_the_cache(caches["default"])
    for place in (caplog.text, str(response.headers), kept):
        assert token not in place


# Where one may be sent


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "https:///evil.example",
        "javascript:alert(1)",
        "https://spa.example.evil.example/",
        "https://spa.example@evil.example/",
        "http://spa.example/",
        "https://spa.example\\@evil.example/",
        "https://spa.example\n.evil.example/",
        " https://evil.example",
        pytest.param(f"https://spa.example/?{'a' * 20_000}", id="more than Django redirects to"),
        "",
    ],
)
@pytest.mark.parametrize("flow", ["session", "ticket"])
def test_open_redirect_is_refused(browser: Browser, settings: Any, wanted: str, flow: str) -> None:
    """Incidents 25 and 37."""
    settings.ALLOWED_HOSTS = ["*"]
    location = browser.sign_in(next=wanted, flow=flow)["Location"]
    assert location.split("?")[0] == "/orders/"


def test_listed_site_and_own_pages_are_reached(browser: Browser) -> None:
    for wanted in ("/deliveries/?a=1", "http://testserver/deliveries/", "https://spa.example/x"):
        assert browser.sign_in(next=wanted)["Location"] == wanted


def test_secure_site_sends_nobody_to_itself_without_https(browser: Browser) -> None:
    def go(path: str, **query: str) -> Any:
        return browser.client.get(path, query, secure=True)

    for scheme, location in (("http", "/orders/"), ("https", "https://testserver/x")):
        state = sent_to(go("/wechat/start/account/", next=f"{scheme}://testserver/x"))["state"]
        way_back = {"state": state, "code": browser.code()}
        assert go("/wechat/callback/account/", **way_back)["Location"] == location


# A ticket for the tokens


def redeem(ticket: str) -> Any:
    return Client().post("/api/oauth/ticket", {"ticket": ticket}, "application/json")


def test_ticket_is_good_once_for_the_tokens(browser: Browser) -> None:
    """Incident 42: a redirect carries no more than this."""
    location = browser.sign_in(flow="ticket", next="https://spa.example/app?x=1#top")["Location"]
    parts = urlsplit(location)
    assert (parts.netloc, parts.path, parts.fragment) == ("spa.example", "/app", "top")
    fields = parse_qs(parts.query)
    assert set(fields) == {"x", "wxauth_ticket"}
    assert browser.user_id is None
    ticket = fields["wxauth_ticket"][0]
    answer = redeem(ticket)
    assert answer.status_code == 200
    headers = {"Authorization": f"Bearer {answer.json()['access']}"}
    assert Client().get("/api/me", headers=headers).status_code == 200
    assert redeem(ticket).status_code == 400


def test_ticket_ends_after_two_minutes_and_with_its_session(
    local_memory: None, browser: Browser, time_machine: Any
) -> None:
    def ticket() -> str:
        location = browser.sign_in(flow="ticket")["Location"]
        return parse_qs(urlsplit(location).query)["wxauth_ticket"][0]

    ended = ticket()
    services.logout_everywhere(user=User.objects.get())
    assert redeem(ended).json()["code"] == "ticket_invalid"
    late = ticket()
    time_machine.move_to(timezone.now() + timedelta(seconds=121))
    assert redeem(late).json()["code"] == "ticket_invalid"


def test_session_behind_a_ticket_lasts_as_long_as_its_tokens(
    browser: Browser, settings: Any
) -> None:
    settings.SESSION_COOKIE_AGE = 3600
    browser.sign_in(flow="ticket")
    session = LoginSession.objects.get()
    assert session.expires_at - session.created_at > timedelta(days=1)


# The end


def test_logout_of_django_ends_our_session_too(browser: Browser) -> None:
    browser.sign_in()
    browser.client.logout()
    assert LoginSession.objects.get().revoked_at is not None


@pytest.mark.parametrize("how", ["everywhere", "ban", "deletion"])
def test_end_of_our_session_signs_the_browser_out(
    browser: Browser, settings: Any, how: str
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "wxauth.web.middleware.LoginSessionMiddleware"]
    browser.sign_in()
    browser.client.get("/admin/login/")
    assert browser.user_id is not None
    if how == "everywhere":
        services.logout_everywhere(user=User.objects.get())
    elif how == "ban":
        User.objects.update(is_active=False)
    else:
        User.objects.all().delete()
    browser.client.get("/admin/login/")
    assert browser.user_id is None


@pytest.mark.standard_user
def test_who_changes_their_password_stays_signed_in_here_only(
    browser: Browser, make_browser: Callable[..., Browser], settings: Any
) -> None:
    """Incident 19."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "wxauth.web.middleware.LoginSessionMiddleware"]
    other = make_browser("alice")
    other.sign_in()
    browser.sign_in()
    User.objects.update(is_staff=True, password=make_password("tea-2048"))
    session = browser.client.session  # as if the password had been there at the sign-in
    session[HASH_SESSION_KEY] = User.objects.get().get_session_auth_hash()
    session.save()
    new = {"new_password1": "a new one 2048", "new_password2": "a new one 2048"}
    answer = browser.client.post("/admin/password_change/", {"old_password": "tea-2048", **new})
    assert answer["Location"] == "/admin/password_change/done/"
    assert browser.client.get("/admin/").status_code == 200
    assert bind(browser).status_code == 302
    assert bind(other).status_code == 401


def test_middleware_asks_nothing_of_other_browsers(
    client: Client, settings: Any, django_assert_num_queries: Any, db: None
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "wxauth.web.middleware.LoginSessionMiddleware"]
    with django_assert_num_queries(0):
        client.get("/admin/login/")


def test_sign_in_outside_of_a_browser_is_no_concern_of_ours(alice_by_password: Any) -> None:
    for request in (None, HttpRequest()):
        for signal in (user_logged_in, user_logged_out):
            signal.send(sender=User, request=request, user=alice_by_password)


# Linking


def bind(browser: Browser, alias: str = "site", **fields: str) -> Any:
    return browser.client.post(f"/wechat/bind/{alias}/", fields)


@pytest.fixture
def alice_by_password(browser: Browser) -> Any:
    """Somebody whom Django's own backend has signed in."""
    user = User.objects.create_user(**{User.USERNAME_FIELD: "alice@shop.example"})
    browser.client.force_login(user, MODEL_BACKEND)
    return user


def test_signed_in_user_links_another_app(browser: Browser, wechat: WechatSimulator) -> None:
    wechat.user("alice").unionid_hidden = True
    browser.sign_in()
    state = sent_to(bind(browser, next="/deliveries/"))["state"]
    assert browser.back(state, alias="site")["Location"] == "/deliveries/"
    assert User.objects.count() == 1
    assert WechatIdentity.objects.count() == 2


def test_linking_by_a_link_is_refused(browser: Browser) -> None:
    """Incident 23."""
    browser.sign_in()
    assert browser.client.get("/wechat/bind/site/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.client.cookies
    assert strict.post("/wechat/bind/site/").status_code == 403


def test_linking_wants_somebody_who_has_just_signed_in(
    browser: Browser, make_browser: Callable[..., Browser]
) -> None:
    check_page(bind(make_browser("stranger")), 401, "not_authenticated")
    browser.sign_in()
    LoginSession.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    check_page(bind(browser), 403, "fresh_sign_in_required")


def test_user_of_another_backend_links_wechat(browser: Browser, alice_by_password: Any) -> None:
    state = sent_to(bind(browser, next="/deliveries/"))["state"]
    assert browser.back(state, alias="site")["Location"] == "/deliveries/"
    assert WechatIdentity.objects.get().user == alice_by_password
    session = LoginSession.objects.get()  # and it shows among the user's sessions
    assert (session.user, session.app, session.identity) == (alice_by_password, "", None)
    browser.client.logout()
    browser.sign_in("site")
    assert browser.user_id == str(alice_by_password.pk)


def test_user_of_another_backend_is_opened_one_session(
    browser: Browser, alice_by_password: Any
) -> None:
    for _ in range(3):
        assert bind(browser).status_code == 302
    assert LoginSession.objects.count() == 1


def test_old_sign_in_by_another_backend_does_not_link_until_it_is_renewed(
    browser: Browser, alice_by_password: Any, time_machine: Any
) -> None:
    time_machine.move_to(timezone.now() + timedelta(minutes=11))
    check_page(bind(browser), 403, "fresh_sign_in_required")
    browser.client.force_login(alice_by_password, MODEL_BACKEND)
    assert bind(browser).status_code == 302
    assert LoginSession.objects.filter(revoked_at=None).count() == 1


@pytest.mark.parametrize(
    ("login_url", "shown"),
    [
        ("/admin/login/", 'href="/admin/login/"'),
        ("admin:login", 'href="/admin/login/"'),
        ("https://id.shop.example/?a=b", 'href="https://id.shop.example/?a=b"'),
        ("/accounts/login/", None),  # Django's default, where the project has no such page
        ("no_such_name", None),
    ],
)
def test_page_leads_to_where_the_project_signs_in(
    browser: Browser, settings: Any, login_url: str, shown: str | None
) -> None:
    settings.LOGIN_URL = login_url
    text = check_page(bind(browser), 401, "not_authenticated")
    assert re.findall(r'class="button" (href="[^"]*")', text) == ([shown] if shown else [])
    assert "/wechat/start/" not in text  # which would make an account of its own


def test_page_leads_to_the_sign_in_of_a_project_below_a_path(
    browser: Browser, settings: Any
) -> None:
    settings.LOGIN_URL = "admin:login"
    with override_script_prefix("/shop/"):
        response = browser.client.get("/wechat/scan/bind/")
    assert 'href="/shop/admin/login/?next=%2Fwechat%2F' in check_page(
        response, 401, "not_authenticated"
    )


@pytest.mark.parametrize(("query", "mark"), [("", "?"), ("?a=b", "&amp;")])
def test_page_that_wants_a_sign_in_is_come_back_to(
    browser: Browser, settings: Any, query: str, mark: str
) -> None:
    settings.LOGIN_URL = f"https://id.shop.example/{query}"
    text = check_page(browser.client.get("/wechat/scan/bind/?next=/x"), 401, "not_authenticated")
    way_back = "next=%2Fwechat%2Fscan%2Fbind%2F%3Fnext%3D%2Fx"
    assert f'href="https://id.shop.example/{query}{mark}{way_back}"' in text


def test_user_who_is_gone_by_now_is_opened_no_session(alice_by_password: Any) -> None:
    gone = User.objects.get(pk=alice_by_password.pk)
    User.objects.all().delete()
    with pytest.raises(TokenInvalid):
        services.adopt_session(user=gone, began_at=timezone.now())


def test_sign_in_from_before_wxauth_does_not_link(browser: Browser, alice_by_password: Any) -> None:
    session = browser.client.session
    del session["wxauth_since"]
    session.save()
    check_page(bind(browser), 403, "fresh_sign_in_required")


def test_user_of_another_backend_who_is_signed_out_everywhere_does_not_link(
    browser: Browser, alice_by_password: Any
) -> None:
    bind(browser)
    services.logout_everywhere(user=alice_by_password)
    check_page(bind(browser), 401, "token_invalid")


def test_session_of_one_user_does_not_link_for_another(
    browser: Browser, alice_by_password: Any, make_user: Any
) -> None:
    """Packages by which staff act as a user change Django's session, and send no signal."""
    bind(browser)
    bob = make_user("bob")
    session = browser.client.session
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(bob.pk), bob.get_session_auth_hash()
    session.save()
    check_page(bind(browser), 401, "token_invalid")


def test_sign_in_that_django_no_longer_believes_does_not_link(
    browser: Browser, alice_by_password: Any
) -> None:
    bind(browser)
    User.objects.update(password=make_password("another"))
    check_page(bind(browser), 401, "not_authenticated")


def test_linking_that_somebody_else_ends_is_refused(
    browser: Browser, make_browser: Callable[..., Browser], wechat: WechatSimulator
) -> None:
    browser.sign_in()
    state = sent_to(bind(browser))["state"]
    wechat.user("bob").unionid_hidden = True
    browser.name = "bob"
    browser.sign_in()
    check_page(browser.back(state, alias="site"), 400, "state_invalid")
    assert not WechatIdentity.objects.filter(app_id=browser.apps["site"].app_id).exists()


def test_link_that_comes_again_signs_nobody_in(browser: Browser, alice_by_password: Any) -> None:
    state, code = sent_to(bind(browser))["state"], browser.code("site")
    for _ in range(2):
        assert browser.back(state, code, alias="site").status_code == 302
    bob = User.objects.create_user(**{User.USERNAME_FIELD: "bob@shop.example"})
    browser.client.force_login(bob, MODEL_BACKEND)
    check_page(browser.back(state, code, alias="site"), 400, "state_invalid")
    assert browser.user_id == str(bob.pk)


def test_linking_that_fails_does_not_lead_to_a_sign_in(
    browser: Browser, alice_by_password: Any, settings: Any
) -> None:
    """Which would make an account of its own, and leave the identity there."""
    state = sent_to(bind(browser))["state"]
    query = {"state": state}
    refused = browser.client.get("/wechat/callback/site/", query)
    text = check_page(refused, 403, "authorization_refused")
    assert "/wechat/start/" not in text
    text = check_page(browser.back("forged", alias="site"), 400, "state_invalid")
    assert "/wechat/start/" not in text
    settings.WXAUTH_THROTTLE_RATES = {"address": "1/min"}
    browser.client.get("/wechat/start/site/")
    assert "/wechat/start/" not in check_page(bind(browser), 429, "rate_limited")


def test_identity_of_somebody_else_is_not_linked(
    make_browser: Callable[..., Browser], wechat: WechatSimulator
) -> None:
    make_browser("bob").sign_in("site")
    alice = make_browser("alice")
    alice.sign_in()
    state = sent_to(bind(alice))["state"]
    code = make_browser("bob").code("site")
    for status, error in [(409, "identity_taken"), (400, "state_invalid")]:
        text = check_page(alice.back(state, code, "site"), status, error)
        assert 'class="button" href="/orders/"' in text
        assert "/wechat/start/" not in text  # which would sign in somebody else


# Trouble of our own


def test_cache_that_does_not_answer_is_a_page(
    browser: Browser, settings: Any, closed_port: int
) -> None:
    state = browser.start()["state"]
    settings.CACHES = {
        **settings.CACHES,
        "gone": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{closed_port}/0",
        },
    }
    settings.WXAUTH_CACHE = "gone"
    check_page(browser.back(state), 503, "service_unavailable")
    check_page(browser.client.get("/wechat/start/account/"), 503, "service_unavailable")
    assert browser.user_id is None


def test_database_that_does_not_answer_is_a_page(
    browser: Browser, alice_by_password: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(ModelBackend, "get_user", fail)
    check_page(bind(browser), 503, "service_unavailable")


def test_limit_is_a_page(browser: Browser, settings: Any) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": "2/min"}
    for _ in range(2):
        browser.start()
    response = browser.client.get("/wechat/start/account/")
    check_page(response, 429, "rate_limited")
    assert 1 <= int(response["Retry-After"]) <= 61


def test_page_speaks_the_language_of_the_browser(browser: Browser) -> None:
    browser.start()
    query = {"state": "forged", "code": "x"}
    headers = {"Accept-Language": "zh-CN"}
    response = browser.client.get("/wechat/callback/account/", query, headers=headers)
    assert "登录" in response.content.decode()
