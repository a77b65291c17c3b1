"""A simulator with made-up apps, and an app's server that talks to it over a real socket."""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from wxauth.simulator import SimulatedApp, WechatSimulator

APP = SimulatedApp("wx00000000000000aa", "secret-of-aa", union_scope="main")
SIBLING = SimulatedApp("wx00000000000000bb", "secret-of-bb", union_scope="main")
UNBOUND = SimulatedApp("wx00000000000000cc", "secret-of-cc")
WEBSITE = SimulatedApp("wx00000000000000dd", "secret-of-dd", kind="website", union_scope="main")

NOW = 1_900_000_000.0  # Unix seconds; 01:46:40 in Beijing

CODE2SESSION = "/sns/jscode2session"
TOKEN = "/cgi-bin/token"
STABLE_TOKEN = "/cgi-bin/stable_token"
CHECK = "/wxa/checksession"
RENEW = "/wxa/resetusersessionkey"
PHONE = "/wxa/business/getuserphonenumber"
ENCRYPT_KEY = "/wxa/business/getuserencryptkey"
CHECK_MESSAGE = "/wxa/business/checkencryptedmsg"
PAID = "/wxa/getpaidunionid"


class Server:
    """What the server of an app sends to WeChat, one kept connection for all of it."""

    def __init__(self, simulator: WechatSimulator) -> None:
        self.simulator = simulator
        self.http = requests.Session()
        self.http.trust_env = False

    def get(self, path: str, **query: Any) -> Any:
        return self._json(self.http.get(self.simulator.base_url + path, params=query, timeout=5))

    def post(self, path: str, body: Any, **query: Any) -> Any:
        url = self.simulator.base_url + path
        return self._json(self.http.post(url, json=body, params=query, timeout=5))

    def exchange(self, code: str, app: SimulatedApp = APP, **changes: Any) -> Any:
        query = {
            "appid": app.app_id,
            "secret": app.app_secret,
            "js_code": code,
            "grant_type": "authorization_code",
        }
        return self.get(CODE2SESSION, **(query | changes))

    def token(self, app: SimulatedApp = APP, **changes: Any) -> Any:
        return self.get(TOKEN, **(credentials(app) | changes))

    def stable_token(self, app: SimulatedApp = APP, **changes: Any) -> Any:
        return self.post(STABLE_TOKEN, credentials(app) | changes)

    def phone_number(self, code: str, app: SimulatedApp = APP, **fields: Any) -> Any:
        token = self.simulator.access_token(app.app_id)
        return self.post(PHONE, {"code": code, **fields}, access_token=token)

    def signed(self, path: str, session_key: str, user: str = "alice", **changes: Any) -> Any:
        return self.get(path, **(self.signed_query(session_key, user) | changes))

    def signed_query(self, session_key: str, user: str = "alice") -> dict[str, str]:
        return {
            "access_token": self.simulator.access_token(APP.app_id),
            "openid": self.simulator.openid(user, APP.app_id),
            "signature": hmac.new(session_key.encode(), b"", hashlib.sha256).hexdigest(),
            "sig_method": "hmac_sha256",
        }

    @staticmethod
    def _json(response: requests.Response) -> Any:
        assert response.status_code == 200
        return response.json()


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what another thread is about to do; fail when it does not within 10 seconds."""
    give_up = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.001)


def credentials(app: SimulatedApp) -> dict[str, Any]:
    return {
        "grant_type": "client_credential",
        "appid": app.app_id,
        "secret": app.app_secret,
    }


@pytest.fixture(scope="session")
def _running() -> Iterator[WechatSimulator]:
    # The clock stands still, so that a test on the last second is not a matter of luck.
    apps = [APP, SIBLING, UNBOUND, WEBSITE]
    with WechatSimulator(apps=apps, clock=lambda: NOW) as simulator:
        yield simulator


@pytest.fixture
def sim(_running: WechatSimulator) -> WechatSimulator:
    """A simulator that has forgotten everything but its apps."""
    _running.reset()
    return _running


@pytest.fixture
def server(sim: WechatSimulator) -> Iterator[Server]:
    """The server of the apps."""
    server = Server(sim)
    with server.http:
        yield server
