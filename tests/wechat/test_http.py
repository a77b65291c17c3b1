"""The wire: connections that are kept, answers that are no answers, and nothing of the URL."""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.certificates import make_certificate
from tests.wechat.raw_server import http, serve
from wxauth.conf import WechatApp
from wxauth.exceptions import WechatError, WechatTimeout, WechatUnavailable
from wxauth.simulator import WechatSimulator
from wxauth.wechat import client
from wxauth.wechat import http as wire
from wxauth.wechat.types import Call

CALL = Call("/sns/jscode2session", query={"js_code": "code"})


def answer(settings: Any, raw: bytes) -> dict[str, Any]:
    """Return what ``send`` makes of these bytes."""
    with serve(raw) as server:
        settings.WXAUTH_API_BASE_URL = server.base_url
        return dict(wire.send(CALL).fields)


# Connections


def test_hundred_sign_ins_open_one_connection(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    for _ in range(100):
        client.code_to_session(app, login_code=wechat_simulator.login("ann", app.app_id))

    assert wechat_simulator.connections == 1


def test_refusals_and_posts_use_the_same_connection(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    for _ in range(5):
        with pytest.raises(WechatError):
            client.code_to_session(app, login_code="unknown")
        client.phone_number(app, phone_code=wechat_simulator.phone("ann", app.app_id)["code"])

    assert wechat_simulator.connections == 1


def test_connection_that_was_closed_while_idle_is_replaced_unnoticed(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    client.code_to_session(app, login_code=wechat_simulator.login("ann", app.app_id))
    wechat_simulator.close_connections()

    client.code_to_session(app, login_code=wechat_simulator.login("ann", app.app_id))

    assert wechat_simulator.connections == 2


def test_threads_share_the_pool(app: WechatApp, wechat_simulator: WechatSimulator) -> None:
    barrier = threading.Barrier(8)

    def sign_in(number: int) -> None:
        barrier.wait(10)
        for _ in range(5):
            code = wechat_simulator.login(f"person{number}", app.app_id)
            session = client.code_to_session(app, login_code=code)
            assert session.openid == wechat_simulator.openid(f"person{number}", app.app_id)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(sign_in, range(8)))

    assert wechat_simulator.connections <= 8


def test_other_base_url_is_used_from_the_next_call_on(app: WechatApp, settings: Any) -> None:
    for name in ("one", "two"):
        body = json.dumps({"openid": name, "session_key": "gqi+ECTGh+q18yn5whIQJw=="})
        with serve(http(body.encode())) as server:
            settings.WXAUTH_API_BASE_URL = server.base_url + "/"
            assert client.code_to_session(app, login_code="code").openid == name


def test_kept_connections_are_probed(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connect, probed = urllib3.util.connection.create_connection, []

    def watch(*args: Any, **options: Any) -> socket.socket:
        connection = connect(*args, **options)
        probed.append(connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        return connection

    monkeypatch.setattr(urllib3.util.connection, "create_connection", watch)
    answer(settings, http(b"{}"))

    assert probed == [1]


# Only a socket of its own process may be used: two that write into one mix up their answers.
FORK = """
import os, sys
from django.conf import settings
settings.configure(
    WXAUTH_API_BASE_URL=sys.argv[1], WXAUTH_APP_ID=sys.argv[2], WXAUTH_APP_SECRET=sys.argv[3]
)
from wxauth.conf import conf
from wxauth.wechat import client
def sign_in(code):
    assert client.code_to_session(conf.app(), login_code=code).openid
sign_in(sys.argv[4])
child = os.fork()
if not child:
    sign_in(sys.argv[5])
    os._exit(0)
status = os.waitpid(child, 0)[1]
sign_in(sys.argv[6])
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_child_opens_its_own_connection_and_leaves_the_parents_alone(
    app: WechatApp, wechat_simulator: WechatSimulator
) -> None:
    codes = [wechat_simulator.login("ann", app.app_id) for _ in range(3)]
    arguments = [wechat_simulator.base_url, app.app_id, app.app_secret, *codes]

    subprocess.run([sys.executable, "-c", FORK, *arguments], check=True, timeout=30)

    first, second, third = wechat_simulator.calls("/sns/jscode2session")
    assert first.connection_id == third.connection_id != second.connection_id


# TLS


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS for "localhost", and the certificate that vouches for it."""
    return make_certificate("localhost", tmp_path)


def test_tls_context_is_built_once_for_many_calls(
    tls: tuple[ssl.SSLContext, Path], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = tls
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    built = []
    build = urllib3.connection.create_urllib3_context
    monkeypatch.setattr(
        urllib3.connection,
        "create_urllib3_context",
        lambda *args, **options: built.append(1) or build(*args, **options),
    )
    with serve(http(b"{}"), tls=context) as server:
        settings.WXAUTH_API_BASE_URL = server.base_url
        for _ in range(20):
            assert wire.send(CALL).fields == {}

    assert (len(built), server.connections, len(server.requests)) == (1, 1, 20)


def test_certificate_that_nobody_vouches_for_is_unavailable(
    tls: tuple[ssl.SSLContext, Path], settings: Any
) -> None:
    with serve(http(b"{}"), tls=tls[0]) as server:
        settings.WXAUTH_API_BASE_URL = server.base_url
        with pytest.raises(WechatUnavailable):
            wire.send(CALL)

    assert server.requests == []


def test_certificate_bundle_that_is_missing_is_unavailable(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nowhere/bundle.pem")
    settings.WXAUTH_API_BASE_URL = "https://localhost:1"

    with pytest.raises(WechatUnavailable):
        wire.send(CALL)


# Proxies and the rest of the environment


def test_proxy_of_the_environment_is_used(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WXAUTH_API_BASE_URL = "http://wechat.invalid"
    with serve(http(b'{"by":"proxy"}')) as proxy:
        monkeypatch.setenv("http_proxy", proxy.base_url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)

        assert wire.send(CALL).fields == {"by": "proxy"}

    assert proxy.requests[0].startswith(b"GET http://wechat.invalid/sns/jscode2session?")


def test_host_outside_of_the_proxy_is_asked_directly(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "localhost")

    assert answer(settings, http(b'{"by":"host"}')) == {"by": "host"}


def test_password_in_netrc_is_not_sent(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login ann password hidden\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serve(http(b"{}")) as server:
        settings.WXAUTH_API_BASE_URL = server.base_url
        wire.send(CALL)

    assert b"Authorization" not in server.requests[0]


def test_cookie_is_not_sent_back(settings: Any) -> None:
    with serve(http(b"{}", headers="Set-Cookie: a=b\r\n")) as server:
        settings.WXAUTH_API_BASE_URL = server.base_url
        wire.send(CALL)
        wire.send(CALL)

    assert b"Cookie" not in server.requests[1]


# No connection


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_refused_connection_is_unavailable(settings: Any) -> None:
    settings.WXAUTH_API_BASE_URL = f"http://127.0.0.1:{closed_port()}"

    with pytest.raises(WechatUnavailable) as caught:
        wire.send(CALL)

    assert caught.value.retry_after == 2
    assert not isinstance(caught.value, wire.ConnectionLost)


def test_name_that_does_not_resolve_is_unavailable(settings: Any) -> None:
    settings.WXAUTH_API_BASE_URL = "http://wechat.invalid"

    with pytest.raises(WechatUnavailable):
        wire.send(CALL)


def test_connection_that_fails_once_is_tried_again(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a single-use code may be sent again: nothing of it has left the machine."""
    connect, failures = urllib3.util.connection.create_connection, [ConnectionRefusedError()]

    def fail_once(*args: Any, **options: Any) -> socket.socket:
        if failures:
            raise failures.pop()
        return connect(*args, **options)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", fail_once)

    assert answer(settings, http(b"{}")) == {}


@pytest.mark.parametrize(
    ("error", "expected"),
    [(ConnectionRefusedError, WechatUnavailable), (TimeoutError, WechatTimeout)],
)
def test_connection_that_fails_twice_is_given_up(
    error: type[OSError],
    expected: type[WechatError],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = []

    def fail(*args: Any, **options: Any) -> socket.socket:
        tried.append(1)
        raise error

    monkeypatch.setattr(urllib3.util.connection, "create_connection", fail)

    with pytest.raises(expected):
        answer(settings, http(b"{}"))

    assert len(tried) == 2


@pytest.mark.parametrize("base_url", ["", "wechat", "http://", "ftp://localhost", "http://[::"])
def test_base_url_that_is_none_is_unavailable(base_url: str, settings: Any) -> None:
    settings.WXAUTH_API_BASE_URL = base_url

    with pytest.raises(WechatUnavailable):
        wire.send(CALL)


# Answers that are none


@pytest.mark.parametrize(
    "raw",
    [
        http(b"<html>502</html>", status="502 Bad Gateway"),
        http(b'{"errcode":0}', status="500 Internal Server Error"),
        http(b'{"errcode":0}', status="404 Not Found"),
        http(b'{"errcode":0}', status="503 Busy", headers="Retry-After: 100\r\n"),
        http(b"<html>welcome</html>"),
        http(b""),
        http(b"null"),
        http(b"[]"),
        http(b'"text"'),
        http(b'{"openid":'),
        http(b'{"openid":"\xff"}'),
        http("{}".encode("utf-16")),
        http(b"[" * 100_000),
        http(b'{"a":' * 2_000 + b"1" + b"}" * 2_000),
        http(b'{"n":' + b"1" * 5_000 + b"}"),
        http(b'{"a":"' + b"a" * wire.MAX_ANSWER + b'"}'),
        http(b"not gzip", headers="Content-Encoding: gzip\r\n"),
        b"no http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n{}",
        b"",
    ],
    ids=lambda raw: repr(raw[:20] + b"..." + raw[-20:]),
)
def test_answer_that_is_no_json_object_is_unavailable(raw: bytes, settings: Any) -> None:
    with pytest.raises(WechatUnavailable) as caught:
        answer(settings, raw)

    assert caught.value.retry_after == 2


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_redirect_is_not_followed(status: str, settings: Any) -> None:
    """It would carry the app secret wherever it leads."""
    with serve(http(b'{"by":"thief"}')) as thief, pytest.raises(WechatUnavailable):
        answer(settings, http(b"", status=status, headers=f"Location: {thief.base_url}/\r\n"))

    assert thief.requests == []


def test_connection_after_a_bad_answer_still_works(settings: Any) -> None:
    with serve(http(b"<html>", status="502 Bad Gateway"), http(b'{"a":1}')) as server:
        settings.WXAUTH_API_BASE_URL = server.base_url
        with pytest.raises(WechatUnavailable):
            wire.send(CALL)

        assert wire.send(CALL).fields == {"a": 1}


# Incident 4: how WeChat's text arrives


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/json; encoding=utf-8", "text/html; charset=gbk"],
)
@pytest.mark.parametrize("name", ["小明", "Zoé", "🙂", "a\x14b", "a\tb\nc", "\x7f"])
def test_text_is_utf8_whatever_the_content_type(
    content_type: str, name: str, settings: Any
) -> None:
    header = f"Content-Type: {content_type}\r\n" if content_type else ""
    body = f'{{"nickname":"{name}","url":"http:\\/\\/x"}}'.encode()

    assert answer(settings, http(body, headers=header)) == {"nickname": name, "url": "http://x"}


def test_emoji_escaped_as_a_pair_is_one_character(settings: Any) -> None:
    assert answer(settings, http(b'{"a":"\\ud83d\\ude42"}')) == {"a": "🙂"}


def test_half_a_surrogate_pair_cannot_break_a_database(settings: Any) -> None:
    body = b'{"a":"x\\ud83d","b":["\\ude42",{"\\ud800":1}],"c":null}'

    mended = answer(settings, http(body))

    assert mended == {"a": "x\ufffd", "b": ["\ufffd", {"\ufffd": 1}], "c": None}
    json.dumps(mended, ensure_ascii=False).encode("utf-8")


def test_body_goes_out_as_raw_utf8_json(settings: Any) -> None:
    with serve(http(b"{}")) as server:
        settings.WXAUTH_API_BASE_URL = server.base_url
        wire.send(Call("/cgi-bin/stable_token", body={"name": "小明"}))

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == '{"name": "小明"}'.encode()
    assert b"Content-Type: application/json\r\n" in head
    assert head.startswith(b"POST /cgi-bin/stable_token HTTP/1.1\r\n")


def test_query_is_escaped(settings: Any) -> None:
    with serve(http(b"{}")) as server:
        settings.WXAUTH_API_BASE_URL = server.base_url
        wire.send(Call("/sns/jscode2session", query={"js_code": "a&appid=b#+ /%"}))

    assert b"?js_code=a%26appid%3Db%23%2B+%2F%25 " in server.requests[0]
