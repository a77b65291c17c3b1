"""Web authorisation for single pages and mobile apps: start, login, bind."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from tests.api.answers import check_error
from tests.web.conftest import apps, wechat  # noqa: F401  # fixtures
from wxauth.conf import WechatApp
from wxauth.models import LoginSession, Referral, WechatIdentity
from wxauth.simulator import WechatSimulator

pytestmark = pytest.mark.django_db

User = get_user_model()
EXCHANGE = "/sns/oauth2/access_token"
BACK = "https://spa.example/back"


class App:
    """A client of the API, for somebody."""

    def __init__(self, wechat: WechatSimulator, apps: dict[str, WechatApp], name: str) -> None:  # noqa: F811
        self.wechat, self.apps, self.name = wechat, apps, name

    def post(self, route: str, access: str | None = None, **fields: Any) -> Any:
        headers = {"Authorization": f"Bearer {access}"} if access else {}
        return Client().post(f"/api/oauth/{route}", fields, "application/json", headers=headers)

    def start(self, alias: str = "native", **fields: Any) -> Any:
        back = {} if alias == "native" else {"redirect_uri": BACK}
        response = self.post("start", app=alias, **{**back, **fields})
        assert response.status_code == 200, response.content
        return response.json()

    def fields(self, alias: str = "native", **changes: Any) -> dict[str, Any]:
        begun = self.start(alias)
        code = self.wechat.oauth_code(self.name, self.apps[alias].app_id)
        proof = {"state": begun["state"], "verifier": begun["verifier"]}
        return {"app": alias, "code": code, **proof, **changes}

    def login(self, alias: str = "native", **changes: Any) -> Any:
        return self.post("login", **self.fields(alias, **changes))


@pytest.fixture
def make_app(
    wechat: WechatSimulator,  # noqa: F811
    apps: dict[str, WechatApp],  # noqa: F811
) -> Callable[..., App]:
    return lambda name="alice": App(wechat, apps, name)


@pytest.fixture
def client_app(make_app: Callable[..., App]) -> App:
    return make_app()


@pytest.mark.parametrize("alias", ["account", "site"])
def test_single_page_goes_there_and_signs_in(client_app: App, alias: str) -> None:
    begun = client_app.start(alias)
    there = parse_qs(urlsplit(begun["authorization_url"]).query)
    assert there["redirect_uri"] == [BACK]
    assert there["state"] == [begun["state"]]
    assert begun["expires_in"] == 600
    assert begun["verifier"] not in begun["authorization_url"]


def test_page_of_wechat_speaks_the_language_of_the_client(client_app: App) -> None:
    fields = {"app": "site", "redirect_uri": BACK}
    headers = {"Accept-Language": "zh-CN"}
    begun = Client().post("/api/oauth/start", fields, "application/json", headers=headers).json()
    assert parse_qs(urlsplit(begun["authorization_url"]).query)["lang"] == ["cn"]


def test_scene_and_device_are_kept(client_app: App, make_user: Callable[..., Any]) -> None:
    fields = client_app.fields(referrer=str(make_user().pk), scene="poster")
    headers = {"User-Agent": "Shop for Android"}
    response = Client().post("/api/oauth/login", fields, "application/json", headers=headers)
    assert response.status_code == 201, response.content
    assert Referral.objects.get().scene == "poster"
    assert LoginSession.objects.get().user_agent == "Shop for Android"


def test_one_person_is_one_user(client_app: App) -> None:
    answers = [client_app.login(alias) for alias in ("native", "account", "site")]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert len({answer.json()["uid"] for answer in answers}) == 1
    assert WechatIdentity.objects.count() == 3


def test_inviter_is_noted(client_app: App, make_app: Callable[..., App]) -> None:
    inviter = make_app("carol").login().json()["uid"]
    client_app.login(referrer=inviter)
    assert User.objects.get(wxauth_referral__isnull=False).wxauth_referral.referrer.pk == (
        User.objects.get(pk=inviter).pk
    )


def test_state_is_good_once(client_app: App, wechat: WechatSimulator) -> None:  # noqa: F811
    """Incidents 7 and 12: it is consumed once, in one place."""
    fields = client_app.fields()
    assert client_app.post("login", **fields).status_code == 201
    again = {**fields, "code": wechat.oauth_code("alice", client_app.apps["native"].app_id)}
    check_error(client_app.post("login", **again), 400, "state_invalid")
    assert len(wechat.calls(EXCHANGE)) == 1


@pytest.mark.parametrize(
    "changes",
    [{"state": "forged"}, {"verifier": "another"}, {"app": "site"}, {"app": "account"}],
)
def test_state_of_another_client_or_app_is_refused(
    client_app: App,
    wechat: WechatSimulator,  # noqa: F811
    changes: dict[str, str],
) -> None:
    """Incident 12."""
    check_error(client_app.login(**changes), 400, "state_invalid")
    assert wechat.calls(EXCHANGE) == []
    assert not User.objects.exists()


def test_state_expires(local_memory: None, client_app: App, time_machine: Any) -> None:
    """Incident 12."""
    fields = client_app.fields()
    time_machine.move_to(timezone.now() + timedelta(seconds=605))
    check_error(client_app.post("login", **fields), 400, "state_invalid")


@pytest.mark.parametrize(
    ("alias", "back"),
    [
        ("native", BACK),
        ("site", None),
        ("site", "https://evil.example/"),
        ("site", "https://spa.example.evil.example/"),
        ("site", "https://spa.example@evil.example/"),
        ("site", "http://spa.example/"),
        ("site", "javascript:alert(1)"),
        ("site", "//spa.example/"),
        ("site", "https://[::1"),
    ],
)
def test_nobody_is_sent_elsewhere(client_app: App, alias: str, back: str | None) -> None:
    """Incident 25."""
    fields = {} if back is None else {"redirect_uri": back}
    check_error(client_app.post("start", app=alias, **fields), 400, "return_refused")


@pytest.mark.parametrize("alias", ["default", "nobody"])
def test_app_that_nobody_authorises_is_unknown(client_app: App, alias: str) -> None:
    check_error(client_app.post("start", app=alias), 400, "unknown_app")


def test_what_a_client_says_it_is_does_not_count(client_app: App) -> None:
    """Incidents 13 and 29."""
    answer = client_app.login(openid="oOther", unionid="uOther", access_token="t")
    assert answer.status_code == 201
    assert WechatIdentity.objects.get().openid == client_app.wechat.openid(
        "alice", client_app.apps["native"].app_id
    )


def test_person_is_limited(client_app: App, settings: Any) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"person": "2/min"}
    assert [client_app.login().status_code for _ in range(3)] == [201, 200, 429]


def test_signed_in_user_links_another_app(
    client_app: App,
    wechat: WechatSimulator,  # noqa: F811
) -> None:
    wechat.user("alice").unionid_hidden = True
    access = client_app.login().json()["access"]
    linked = client_app.post("bind", access, **client_app.fields("site"))
    assert linked.status_code == 201
    assert User.objects.count() == 1
    assert client_app.post("bind", access, **client_app.fields("site")).status_code == 200


def test_linking_is_refused(client_app: App, make_app: Callable[..., App]) -> None:
    check_error(client_app.post("bind", **client_app.fields("site")), 401, "not_authenticated")
    access = client_app.login().json()["access"]
    bob = make_app("bob")
    bob.login("site")
    check_error(client_app.post("bind", access, **bob.fields("site")), 409, "identity_taken")
    LoginSession.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    fields = client_app.fields("site")
    check_error(client_app.post("bind", access, **fields), 403, "fresh_sign_in_required")
    access = client_app.login().json()["access"]
    assert client_app.post("bind", access, **fields).status_code == 201, "it has cost no code"


def test_costs(client_app: App, wechat: WechatSimulator, django_assert_num_queries: Any) -> None:  # noqa: F811
    client_app.login()
    fields = client_app.fields()
    before = len(wechat.requests)
    with django_assert_num_queries(6):  # three, a profile that may be blank, and the frame
        client_app.post("login", **fields)
    assert len(wechat.requests) == before + 2
