"""What error reports show when something breaks that nobody foresaw: nothing that was sent."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.signals import got_request_exception
from django.test import Client
from django.views.debug import ExceptionReporter

import wxauth
from tests.api.routes import ROUTES
from tests.phone import Phone
from tests.web.conftest import Browser, apps, make_browser, wechat  # noqa: F401  # fixtures
from wxauth import sealed_cache, transactions
from wxauth.conf import WechatApp
from wxauth.managers.session import LoginSessionManager
from wxauth.simulator import WechatSimulator

pytestmark = pytest.mark.django_db

HOME = Path(wxauth.__file__).parent
FAULTS = {"database": (transactions, "run"), "session": (LoginSessionManager, "find")}
FAULTS |= {"cache": (sealed_cache, "get")}
REPEATED = {"app", "purpose"}  # what is sent, and known to everybody


@pytest.fixture
def reports() -> Iterator[list[str]]:
    """The variables of our frames, one text for each request that broke."""
    reports: list[str] = []

    def report(sender: Any, **_: Any) -> None:
        frames = ExceptionReporter(None, *sys.exc_info()).get_traceback_frames()
        ours = [frame for frame in frames if Path(frame["filename"]).is_relative_to(HOME)]
        assert ours
        reports.append(repr([frame["vars"] for frame in ours]))

    got_request_exception.connect(report)
    yield reports
    got_request_exception.disconnect(report)


def break_down(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(*FAULTS[fault], fail)


@pytest.mark.parametrize("fault", FAULTS)
def test_report_of_no_route_shows_what_was_sent(
    fault: str,
    wechat_simulator: WechatSimulator,
    app: WechatApp,
    reports: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    phone = Phone(wechat_simulator, "alice", app)
    phone.sign_in()
    client = Client(raise_request_exception=False)
    break_down(monkeypatch, fault)
    broken = set()
    for route in ROUTES:
        sent = {name: json.loads(text) for name, text in route.base.items()}
        if "code" in sent:
            sent["code"] = phone.code()
        access = phone.tokens["access"]
        headers = {"Authorization": f"Bearer {access}"} if route.signed_in else {}
        reports.clear()
        ask = getattr(client, route.method)
        ask(f"/api/{route.name}", json.dumps(sent), "application/json", headers=headers)
        secrets = [v for n, v in sent.items() if isinstance(v, str) and n not in REPEATED]
        for report in reports:
            broken.add(route.name)
            assert [text for text in [*secrets, access] if len(text) > 5 and text in report] == []
    assert len(broken) >= 5


def test_report_of_a_page_shows_no_cookie(
    make_browser: Any,  # noqa: F811
    reports: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser: Browser = make_browser()
    browser.client.raise_request_exception = False
    state, code = browser.start()["state"], browser.code()
    break_down(monkeypatch, "cache")
    assert browser.back(state, code).status_code == 500
    assert browser.client.post("/wechat/scan/collect/", {"scan": "0" * 30}).status_code == 500
    assert len(reports) == 2
    cookie, app = browser.client.cookies["wxauth_browser"], browser.apps["account"]
    for secret in (cookie.value, app.app_secret):
        assert secret not in str(reports)


def test_mail_of_django_shows_no_field_of_a_form(monkeypatch: pytest.MonkeyPatch) -> None:
    mails = []

    def report(sender: Any, request: Any, **_: Any) -> None:
        mails.append(ExceptionReporter(request, *sys.exc_info()).get_traceback_text())

    got_request_exception.connect(report)
    break_down(monkeypatch, "database")
    fields = {"phone": "13800138000", "password": "correct horse"}
    body = urlencode(fields), "application/x-www-form-urlencoded"
    client = Client(raise_request_exception=False)
    client.post("/api/login_password", *body)
    break_down(monkeypatch, "cache")
    client.post("/wechat/scan/collect/", fields, headers={"Cookie": "wxauth_browser=x"})
    got_request_exception.disconnect(report)
    assert len(mails) == 2
    assert [text for text in fields.values() if text in "".join(mails)] == []


def test_developers_see_the_variables(
    wechat_simulator: WechatSimulator,
    app: WechatApp,
    reports: list[str],
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    settings.DEBUG = True
    phone = Phone(wechat_simulator, "alice", app)
    phone.client.raise_request_exception = False
    break_down(monkeypatch, "database")
    code = phone.code()
    phone.sign_in(code=code)
    assert code in reports[0]
