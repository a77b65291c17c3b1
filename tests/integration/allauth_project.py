"""
A new project that has django-allauth and has followed docs/allauth.md, and browsers that visit it.

The blocks are taken out of the document. Beside them stand here: where the simulator is, an app of
the project's own, and what allauth's provider for WeChat wants, for the people who came by it.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from tests.documents import ROOT, block
from tests.integration.project import append, free_ports, run_step, running, wait_for
from wxauth.simulator import SimulatedApp, WechatSimulator

ALLAUTH = "docs/allauth.md"
SITE, MALL = "wxmadeup3", "wxmadeup1"
PASSWORD = "a password for these tests"
APPS = [
    SimulatedApp(SITE, "made-up", "website", "acme"),
    SimulatedApp(MALL, "made-up", "mini_program", "acme"),
]

OWN_SETTINGS = """
INSTALLED_APPS += ["shop.apps.ShopConfig"]
INSTALLED_APPS += ["allauth.socialaccount", "allauth.socialaccount.providers.weixin"]
TEMPLATES[0]["DIRS"] = [BASE_DIR / "templates"]
if "MAILERS" in globals():  # as Django's template has it since 6.1
    MAILERS["default"]["BACKEND"] = "django.core.mail.backends.filebased.EmailBackend"
    MAILERS["default"]["OPTIONS"] = {{"file_path": BASE_DIR / "mail"}}
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = BASE_DIR / "mail"
WXAUTH_API_BASE_URL = WXAUTH_OPEN_BASE_URL = "{wechat}"
SOCIALACCOUNT_PROVIDERS = {{
    "weixin": {{
        "APPS": [{{"client_id": "wxmadeup3", "secret": "made-up"}}],
        "AUTHORIZE_URL": "{wechat}/connect/qrconnect",
    }}
}}
"""
# The provider's addresses are fixed; it posts what WeChat's documents say to ask for by GET.
OWN_APP = """
from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "shop"

    def ready(self):
        from allauth.socialaccount.providers.weixin.views import WeixinOAuth2Adapter
        from shop import receivers

        WeixinOAuth2Adapter.access_token_url = "{wechat}/sns/oauth2/access_token"
        WeixinOAuth2Adapter.access_token_method = "GET"
        WeixinOAuth2Adapter.profile_url = "{wechat}/sns/userinfo"
"""
OWN_ADDRESSES = """
from django.http import JsonResponse

urlpatterns += [path("me", lambda request: JsonResponse({"user": request.user.pk}))]
"""
PREAMBLE = """
import django
django.setup()
from django.contrib.auth import get_user_model
from django.utils import timezone
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from wxauth import services
from wxauth.models import LoginSession, PhoneNumber, WechatIdentity, WechatUnion
User = get_user_model()
"""
FILES = {
    "shop/backends.py": "python backends.py",
    "shop/customers.py": "python customers.py",
    "shop/receivers.py": "python receivers.py",
    "shop/management/commands/take_over_weixin.py": "python take_over_weixin.py",
    "templates/account/login.html": "html login.html",
    "templates/account/email.html": "html email.html",
}


@dataclass(frozen=True)
class Shop:
    """The project's folder, where it answers, and the WeChat that it asks."""

    folder: Path
    site: str
    wechat: WechatSimulator
    environment: dict[str, str]

    def run(self, *arguments: str) -> str:
        """Run the project's Python and return what it prints; it must succeed."""
        command = [sys.executable, *arguments]
        return run_step(command, cwd=self.folder, env=self.environment)

    def python(self, code: str) -> list[str]:
        """Run these lines inside of the project; return the words that they print."""
        return self.run("-c", PREAMBLE + code).split()

    def mail_to(self, address: str) -> str:
        """Return the newest mail to this address."""
        files = (self.folder / "mail").iterdir()
        for path in sorted(files, key=lambda each: each.stat().st_mtime_ns, reverse=True):
            for part in reversed(path.read_bytes().split(b"-" * 79 + b"\n")):
                mail = message_from_bytes(part)
                if mail["To"] == address:
                    return mail.get_payload(decode=True).decode()
        raise AssertionError(f"no mail to {address}")


@dataclass
class Browser:
    """Somebody's browser; ``name`` is who they are in WeChat."""

    shop: Shop
    name: str
    http: requests.Session = field(default_factory=requests.Session)

    def get(self, address: str) -> requests.Response:
        return self.http.get(urljoin(self.shop.site, address), timeout=30)

    def submit(self, page: str, action: str = "", **fields: Any) -> requests.Response:
        """Fill in and send the form of this page that leads to ``action``, or to itself."""
        shown = self.get(page)
        address = shown.url.split("#")[0]
        for form in re.findall(r"<form.*?</form>", shown.text, re.S):
            names, *tags = map(attributes, re.findall(r"<(?:form|input)[^>]*>", form))
            target = urljoin(address, names.get("action", ""))
            if names["method"] == "post" and target.startswith(urljoin(address, action)):
                hidden = {tag["name"]: tag["value"] for tag in tags if tag.get("type") == "hidden"}
                self.shop.wechat.approve_as(self.name or None)
                return self.http.post(target, data={**hidden, **fields}, timeout=30)
        raise AssertionError(f"{address} has no form for {action}: {shown.text}")

    def sign_up(self, email: str) -> None:
        """Make an account in allauth's pages, and confirm the address."""
        passwords = {"password1": PASSWORD, "password2": PASSWORD}
        self.submit("/accounts/signup/", email=email, **passwords)
        self.confirm(email)
        self.sign_in(email)

    def confirm(self, email: str) -> None:
        """Follow the link of the mail."""
        confirm = "/accounts/confirm-email/"
        self.submit(find_link(self.shop.mail_to(email), confirm), confirm)

    def sign_in(self, email: str, password: str = PASSWORD) -> requests.Response:
        return self.submit("/accounts/login/", login=email, password=password)

    def sign_out(self) -> None:
        self.submit("/accounts/logout/")

    def come_by_wechat(self) -> requests.Response:
        """Follow the link on allauth's page, and allow it in WeChat."""
        page = self.get("/accounts/login/?next=/me")
        link = re.search(r'href="(/wechat/start/site/[^"]*)"', page.text)
        assert link, page.text
        self.shop.wechat.approve_as(self.name)
        return self.get(unescape(link[1]))

    def link_wechat(self) -> requests.Response:
        return self.submit("/accounts/email/", "/wechat/bind/site/")

    @property
    def user(self) -> int | None:
        """The key of the user who is signed in."""
        return self.get("/me").json()["user"]


def attributes(tag: str) -> dict[str, str]:
    """Return what stands in an HTML tag."""
    return {name: unescape(value) for name, value in re.findall(r'(\w+)="([^"]*)"', tag)}


def find_link(text: str, part: str) -> str:
    found = re.search(rf"http\S*{re.escape(part)}\S*", text)
    assert found, text
    return found[0]


@contextmanager
def shop_with_allauth(work: Path) -> Iterator[Shop]:
    """Make the project in this folder, and serve it."""
    foreign = ("WXAUTH_", "DJANGO_", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    path = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
    environment = {**kept, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    startproject = [sys.executable, "-m", "django", "startproject", "shop"]
    run_step(startproject, cwd=work, env=environment)
    (port,) = free_ports(1)
    with WechatSimulator(APPS) as wechat:
        shop = Shop(
            folder=work / "shop",
            site=f"http://127.0.0.1:{port}",
            wechat=wechat,
            environment={**environment, "DJANGO_SETTINGS_MODULE": "shop.settings"},
        )
        write_files(shop)
        shop.run("manage.py", "migrate")
        command = f"exec {sys.executable} manage.py runserver --noreload {port}"
        log = work / "server.log"
        with running(command, shop.folder, shop.environment, log) as shell:
            wait_for(port, shell, log)
            yield shop


def write_files(shop: Shop) -> None:
    """Write what the document says, and what is this project's own."""
    for name, info in FILES.items():
        path = shop.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block(ALLAUTH, info))
    wechat = shop.wechat.base_url
    (shop.folder / "shop" / "apps.py").write_text(OWN_APP.format(wechat=wechat))
    settings, urls = shop.folder / "shop" / "settings.py", shop.folder / "shop" / "urls.py"
    append(settings, block(ALLAUTH, "python settings.py"))
    append(settings, OWN_SETTINGS.format(wechat=wechat))
    append(urls, block(ALLAUTH, "python urls.py"))
    append(urls, OWN_ADDRESSES)
