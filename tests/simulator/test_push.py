"""Message push: signed as WeChat signs, and sent to nobody but this machine."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.simulator.conftest import APP, NOW, Server
from wxauth import crypto
from wxauth.simulator import SimulatedApp, SimulatorError, WechatSimulator

pytestmark = pytest.mark.static

REVOKE = "user_authorization_revoke"
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
PLAIN = SimulatedApp("wx00000000000000e1", "secret-of-e1", push_token="token-of-e1")
SEALED = SimulatedApp(
    "wx00000000000000e2", "secret-of-e2", push_token="token-of-e2", push_aes_key=KEY
)


@pytest.fixture
def pushing() -> Iterator[WechatSimulator]:
    with WechatSimulator([PLAIN, SEALED, APP], clock=lambda: NOW) as simulator:
        yield simulator


@pytest.fixture
def host() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """The server of an app: its address, and what has been posted to it."""
    got: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"success")

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/push", got
    server.shutdown()
    thread.join()
    server.server_close()


def test_plain_push_is_signed(pushing: WechatSimulator, host: Any) -> None:
    url, got = host
    answer = pushing.push("alice", PLAIN.app_id, REVOKE, url=url, revoke_info="8", form="json")
    assert answer == (200, "success")
    ((path, body),) = got
    query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
    made = crypto.push_signature(PLAIN.push_token, query["timestamp"], query["nonce"])
    assert (query["signature"], query["timestamp"]) == (made, str(int(NOW)))
    fields = json.loads(body)
    assert fields["OpenID"] == pushing.openid("alice", PLAIN.app_id)
    assert (fields["Event"], fields["RevokeInfo"], fields["AppID"]) == (REVOKE, "8", PLAIN.app_id)


def test_push_of_an_app_with_a_key_is_encrypted(pushing: WechatSimulator) -> None:
    push = pushing.make_push("alice", SEALED.app_id, REVOKE, form="json")
    encrypted = json.loads(push.body)["Encrypt"]
    assert REVOKE.encode() not in push.body
    crypto.check_push_signature(
        push.query["msg_signature"],
        token=SEALED.push_token,
        timestamp=push.query["timestamp"],
        nonce=push.query["nonce"],
        encrypted=encrypted,
    )
    opened = crypto.decrypt_push(encrypted, aes_key=KEY, app_id=SEALED.app_id)
    assert json.loads(opened)["Event"] == REVOKE


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/push",
        "http://192.0.2.1/",
        "https://127.0.0.1/",
        "file:///etc/passwd",
        "//127.0.0.1",
        "http://",
        "http://[",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:1/",
        "",
    ],
)
def test_push_goes_to_this_machine_only(pushing: WechatSimulator, url: str) -> None:
    with pytest.raises(SimulatorError):
        pushing.push("alice", PLAIN.app_id, REVOKE, url=url)


@pytest.mark.parametrize(
    "changes",
    [{"event": "made_up"}, {"form": "yaml"}, {"app_id": APP.app_id}, {"app_id": "wxnone"}],
    ids=str,
)
def test_push_of_nonsense_is_refused(
    pushing: WechatSimulator, host: Any, changes: dict[str, str]
) -> None:
    asked = {"user": "alice", "app_id": PLAIN.app_id, "event": REVOKE, "url": host[0], **changes}
    with pytest.raises(SimulatorError):
        pushing.push(**asked)
    assert host[1] == []


def test_page_can_have_a_push_sent(pushing: WechatSimulator, host: Any) -> None:
    url, got = host
    server = Server(pushing)
    with server.http:
        query = {"user": "alice", "appid": SEALED.app_id, "event": REVOKE, "url": url}
        answer = server.get("/_sim/push", **query, revoke_info="8", format="xml")
    assert answer == {"status": 200, "answer": "success"}
    assert b"<Encrypt><![CDATA[" in got[0][1]


def test_keys_are_in_no_repr(pushing: WechatSimulator) -> None:
    assert KEY not in repr(SEALED)
    assert SEALED.push_token not in repr(SEALED)
    assert "signature" not in repr(pushing.make_push("alice", PLAIN.app_id, REVOKE))
