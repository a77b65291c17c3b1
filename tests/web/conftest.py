"""Apps that people authorise in a browser, and browsers."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from wxauth.conf import WechatApp, conf
from wxauth.simulator import SimulatedApp, WechatSimulator

APPS = {
    "default": {"app_id": "wx0a1b2c3d4e5f6071", "app_secret": "secret-m", "union_scope": "main"},
    "account": {
        "kind": "official_account",
        "app_id": "wxaccount00000001",
        "app_secret": "secret-of-the-account",
        "union_scope": "main",
    },
    "site": {
        "kind": "website",
        "app_id": "wxsite00000000001",
        "app_secret": "secret-of-the-site",
        "union_scope": "main",
    },
    "native": {
        "kind": "mobile",
        "app_id": "wxnative000000001",
        "app_secret": "secret-of-the-native",
        "union_scope": "main",
    },
}


@pytest.fixture
def apps(settings: Any) -> dict[str, WechatApp]:
    settings.WXAUTH_APPS = APPS
    settings.WXAUTH_RETURN_ORIGINS = ["https://spa.example"]
    settings.LOGIN_REDIRECT_URL = "/orders/"
    return conf.apps


@pytest.fixture
def wechat(apps: dict[str, WechatApp], wechat_simulator: WechatSimulator) -> WechatSimulator:
    wechat_simulator.use_apps([SimulatedApp.like(app) for app in apps.values()])
    return wechat_simulator


class Browser:
    """Somebody's browser on the site."""

    def __init__(self, wechat: WechatSimulator, apps: dict[str, WechatApp], name: str) -> None:
        self.wechat, self.apps, self.name = wechat, apps, name
        self.client = Client()

    def start(self, alias: str = "account", **query: str) -> dict[str, str]:
        """Go to WeChat; return the parameters that the browser takes there."""
        response = self.client.get(f"/wechat/start/{alias}/", query)
        assert response.status_code == 302, response.content
        return sent_to(response)

    def code(self, alias: str = "account", **how: Any) -> str:
        return self.wechat.oauth_code(self.name, self.apps[alias].app_id, **how)

    def back(self, state: str, code: str | None = None, alias: str = "account") -> Any:
        """Come back from WeChat."""
        query = {"state": state, "code": self.code(alias) if code is None else code}
        return self.client.get(f"/wechat/callback/{alias}/", query)

    def sign_in(self, alias: str = "account", **query: str) -> Any:
        """Go there and back."""
        return self.back(self.start(alias, **query)["state"], alias=alias)

    @property
    def user_id(self) -> Any:
        return self.client.session.get("_auth_user_id")


def sent_to(response: Any) -> dict[str, str]:
    query = urlsplit(response["Location"]).query
    return {name: values[0] for name, values in parse_qs(query).items()}


@pytest.fixture
def make_browser(
    db: None, wechat: WechatSimulator, apps: dict[str, WechatApp]
) -> Callable[..., Browser]:
    return lambda name="alice": Browser(wechat, apps, name)


@pytest.fixture
def browser(make_browser: Callable[..., Browser]) -> Browser:
    return make_browser()
