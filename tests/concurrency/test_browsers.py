"""Browsers whose requests meet another worker process each time, with Redis between them."""

import http.client
import json
import re
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from tests.concurrency.deployment import deployment
from tests.concurrency.server import WORKER, Server, at_once, serving
from wxauth.models import LoginSession, WechatIdentity
from wxauth.simulator import SimulatedApp, WechatSimulator

pytestmark = [
    pytest.mark.redis,
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("crowd"),
]

User = get_user_model()
CROWD = 16
ACCOUNT = SimulatedApp("wxaccount00000001", "made-up-secret-of-the-account", "official_account")


class Browser:
    """A browser that keeps its cookies, and no connection: any worker may answer."""

    def __init__(self, port: int) -> None:
        self.port, self.cookies, self.workers = port, dict[str, str](), set[str]()

    def get(self, path: str) -> http.client.HTTPResponse:
        return self._send("GET", path)

    def post(self, path: str, **fields: str) -> http.client.HTTPResponse:
        return self._send("POST", path, urlencode(fields))

    def _send(self, method: str, path: str, body: str | None = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        response.text = response.read().decode()  # type: ignore[attr-defined]
        connection.close()
        self.workers.add(response.headers[WORKER])
        for line in response.headers.get_all("Set-Cookie", []):
            name, _, rest = line.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return response


@pytest.fixture
def web_server(django_db_setup: None, simulator: WechatSimulator) -> Any:
    """Two worker processes, and an official account beside the mini programs."""
    before = simulator.apps
    simulator.use_apps([*before, ACCOUNT])
    apps = {
        **settings.WXAUTH_APPS,
        "account": {
            "kind": "official_account",
            "app_id": ACCOUNT.app_id,
            "app_secret": ACCOUNT.app_secret,
        },
    }

    variables = deployment(simulator) | {
        "WXAUTH_APPS": json.dumps(apps),
        "WXAUTH_OPEN_BASE_URL": simulator.base_url,
    }
    with serving(workers=2, threads=8, **variables) as server:
        yield server
    simulator.use_apps(before)


def test_scan_works_over_several_processes(
    web_server: Server, simulator: WechatSimulator, app: Any
) -> None:
    workers: set[str] = set()
    for n in range(4):
        code = simulator.login(f"person-{n}", app.app_id)
        phone = web_server.ask("authorize", {"code": code}).body
        screen = Browser(web_server.port)
        page = screen.get("/wechat/scan/?next=/browser")
        scan, token = code_on(page), csrf_token_of(page)
        for step in ("look", "confirm"):
            asked = web_server.ask(f"scan/{step}", {"scan": scan}, access=phone["access"])
            assert asked.status in (200, 204), asked
        fields = {"scan": scan, "csrfmiddlewaretoken": token, "next": "/browser"}
        collect = partial(screen.post, "/wechat/scan/collect/", **fields)
        answers = at_once([collect] * CROWD)
        assert sorted(answer.status for answer in answers) == [200] + [400] * (CROWD - 1)
        workers |= screen.workers
    assert len(workers) == 2
    assert User.objects.count() == 4
    assert LoginSession.objects.count() == 8


def test_callbacks_that_come_at_once_are_one_sign_in(
    web_server: Server, simulator: WechatSimulator
) -> None:
    browser = Browser(web_server.port)
    there = browser.get("/wechat/start/account/?next=/browser").headers["Location"]
    query = parse_qs(urlsplit(there).query)
    code = simulator.oauth_code("alice", ACCOUNT.app_id)
    back = f"/wechat/callback/account/?{urlencode({'code': code, 'state': query['state'][0]})}"
    answers = at_once([partial(browser.get, back)] * CROWD)
    statuses = {answer.status for answer in answers}
    assert statuses <= {200, 302}
    assert 302 in statuses
    assert browser.get(back).headers["Location"] == "/browser"
    assert len(browser.workers) == 2
    assert len(simulator.calls("/sns/oauth2/access_token")) == 1
    assert User.objects.count() == LoginSession.objects.count() == 1


def test_one_wechat_is_linked_to_one_of_many_accounts_that_show_a_code(
    web_server: Server, simulator: WechatSimulator, app: Any
) -> None:
    confirmations = []
    for n in range(4):
        scan = code_on(signed_in(web_server, f"owner-{n}").get("/wechat/scan/bind/"))
        code = simulator.login("alice", app.app_id)
        ticket = web_server.ask("login", {"code": code}).body["ticket"]
        asked = {"scan": scan, "ticket": ticket}
        assert web_server.ask("scan/look", asked).status == 200
        confirmations += [partial(web_server.ask, "scan/confirm", asked)] * (CROWD // 4)

    statuses = sorted(answer.status for answer in at_once(confirmations))

    # Of each code one confirmation counts, and of the four that count one links.
    assert statuses == [204] + [400] * (CROWD - 4) + [409] * 3
    assert WechatIdentity.objects.get().user.get_username().startswith("owner-")
    assert LoginSession.objects.count() == 4


def signed_in(server: Server, name: str) -> Browser:
    """Return a browser in which a new user has signed in with a password."""
    hashed = PBKDF2PasswordHasher().encode("tea-2048", "salt", iterations=1)
    User.objects.create(username=name, password=hashed, is_staff=True)
    browser = Browser(server.port)
    token = csrf_token_of(browser.get("/admin/login/"))
    fields = {"username": name, "password": "tea-2048", "csrfmiddlewaretoken": token}
    assert browser.post("/admin/login/", **fields).status == 302
    return browser


def code_on(page: Any) -> str:
    return found(r'name="scan" value="([0-9a-f]{30})"', page)


def csrf_token_of(page: Any) -> str:
    return found(r'csrfmiddlewaretoken" value="(\w+)"', page)


def found(pattern: str, page: Any) -> str:
    match = re.search(pattern, page.text)
    assert match, page.text
    return match[1]
