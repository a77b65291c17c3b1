"""Pictures from elsewhere: what is never asked for, and what is not taken. Incident 27."""

import os
import socket
import socketserver
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.certificates import make_certificate
from tests.wechat.raw_server import HANG, RawServer, http, serve
from wxauth import downloads
from wxauth.downloads import Refused, Unavailable, fetch, may_fetch
from wxauth.images import MAX_BYTES

PNG = "Content-Type: image/png\r\n"
HOST = "thirdwx.qlogo.cn"


@pytest.fixture(autouse=True)
def _hosts(settings: Any) -> None:
    settings.WXAUTH_AVATAR_HOSTS = [".qlogo.cn", "127.0.0.1"]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Say which addresses a host has; return the names that are asked for."""

    real = socket.getaddrinfo

    def resolve(*addresses: str) -> list[str]:
        asked: list[str] = []

        def getaddrinfo(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
            if host in addresses:
                return real(host, port, *args, **kwargs)
            asked.append(host)
            return [
                (socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port))
                for one in addresses
            ]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return resolve


@pytest.fixture
def no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("something was connected to")

    monkeypatch.setattr(socket.socket, "connect", connect)


# What is never asked for


@pytest.mark.parametrize(
    "url",
    [
        "https://qlogo.cn.evil.example/a",
        "https://evilqlogo.cn/a",
        "https://qlogo.cn/a",  # the entry means what is below
        f"https://{HOST}@evil.example/a",
        f"https://evil.example#{HOST}",
        f"https://evil.example/?{HOST}",
        f"https://evil.example\\@{HOST}/a",
        f"https://{HOST}\\@evil.example/a",
        f"https://user:password@{HOST}/a",
        f"https://{HOST}:8443/a",
        f"http://{HOST}:443/a",
        f"https://{HOST}./a",
        f"https://{HOST}:99999/a",
        f"https://{HOST}:x/a",
        f"ftp://{HOST}/a",
        f"file://{HOST}/etc/passwd",
        f"//{HOST}/a",
        f"gopher://{HOST}/a",
        f"https://{HOST}/a b",
        f"https://{HOST}/\r\nX: y",
        "https://ｔhirdwx.qlogo.cn/a",
        "https://a..qlogo.cn/a",  # no names to look up, and Python says so by no OSError
        f"https://{'a' * 64}.qlogo.cn/a",
        "https://[::1]/a",
        "https://[::1",
        "http://localhost/a",
        "http://127.0.0.2/a",
        "http://2130706433/a",
        "http://0x7f.1/a",
        "http://169.254.169.254/latest/meta-data/",
        "https://",
        "",
        "\x00",
    ],
)
def test_address_that_is_not_on_the_list_is_not_asked_for(
    url: str, resolve: Any, no_connection: None
) -> None:
    asked = resolve("203.0.113.1")
    assert not may_fetch(url)
    with pytest.raises(Refused):
        fetch(url)
    assert asked == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "::ffff:0:a00:1",
        "::a00:1",
        "fec0::1",
        "2002:a00:1::1",
        "2001:0:a00:1::1",
    ],
)
def test_host_with_a_private_address_is_not_connected_to(
    address: str, resolve: Any, no_connection: None
) -> None:
    resolve("119.147.15.13", address)
    with pytest.raises(Refused, match="not public"):
        fetch(f"https://{HOST}/a")


def test_nothing_is_fetched_without_a_list(settings: Any, no_connection: None) -> None:
    settings.WXAUTH_AVATAR_HOSTS = []
    assert not may_fetch(f"https://{HOST}/a")


def test_host_without_an_address_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*args: Any, **kwargs: Any) -> None:
        raise socket.gaierror("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(Unavailable):
        fetch(f"https://{HOST}/a")


# What is taken


@pytest.fixture
def make_server() -> Iterator[Callable[..., RawServer]]:
    with ExitStack() as stack:
        yield lambda *answers, **how: stack.enter_context(serve(*answers, **how))


def local(server: RawServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/mmopen/a/132?x=1"


def test_picture_is_fetched_as_it_is(make_server: Any) -> None:
    server = make_server(http(b"\x89PNG", headers=PNG))
    assert fetch(local(server)) == b"\x89PNG"
    head = server.requests[0].decode()
    assert head.startswith("GET /mmopen/a/132?x=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.server_address[1]}\r\n" in head
    assert "cookie" not in head.lower()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 Other", "307 T", "308 P"])
def test_redirect_is_not_followed(make_server: Any, status: str) -> None:
    secret = make_server(http(b"secret", headers=PNG))
    answer = http(b"", status=status, headers=f"{PNG}Location: {local(secret)}\r\n")
    with pytest.raises(Refused):
        fetch(local(make_server(answer)))
    assert secret.requests == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (http(b"x", status="404 Gone", headers=PNG), Refused),
        (http(b"x", status="403 No", headers=PNG), Refused),
        (http(b"<html>", headers="Content-Type: text/html\r\n"), Refused),
        (http(b"x"), Refused),
        (http(b"x", headers=f"{PNG}Content-Encoding: gzip\r\n"), Refused),
        (http(b"x" * (MAX_BYTES + 1), headers=PNG), Refused),
        (b"HTTP/1.1 200 OK\r\n" + PNG.encode() + b"\r\n" + b"x" * (MAX_BYTES + 1), Refused),
        (http(b"x", status="500 Sorry", headers=PNG), Unavailable),
        (http(b"x", status="429 Slowly", headers=PNG), Unavailable),
        (http(b"x" * 9, headers=f"{PNG}Connection: close\r\n")[:-1], Unavailable),
        (b"rubbish\r\n\r\n", Unavailable),
        (b"", Unavailable),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else value[:40].decode(),
)
def test_answer_that_is_no_picture_is_not_taken(
    make_server: Any, answer: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        fetch(local(make_server(answer)))


def test_host_that_does_not_answer_is_left(
    make_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "READ", 0.2)
    with pytest.raises(Unavailable):
        fetch(local(make_server(HANG)))


class Dripping(socketserver.StreamRequestHandler):
    """Sends a byte now and then, always before the reader gives up on the next one."""

    def handle(self) -> None:
        self.rfile.readline()
        self.wfile.write(http(b"x" * 300, headers=PNG)[:-300])
        for _ in range(300):
            self.wfile.write(b"x")
            time.sleep(0.01)


def test_host_that_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "WHOLE", 0.1)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dripping) as server:
        server.block_on_close = False
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # we hang up
        Thread(target=server.serve_forever, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(Unavailable, match="slow"):
            fetch(f"http://127.0.0.1:{server.server_address[1]}/a.png")
        assert time.monotonic() - began < 2, "it waited for the whole picture"
        server.shutdown()


def test_port_on_which_nobody_listens_is_unavailable(closed_port: int) -> None:
    with pytest.raises(Unavailable):
        fetch(f"http://127.0.0.1:{closed_port}/a")


# TLS, on a connection that is held to the address that was looked up


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's side of TLS for the host of the pictures, which we trust."""
    context, certificate = make_certificate(HOST, tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    # The one public address of this test is that of the machine itself.
    monkeypatch.setattr(downloads, "_is_public", lambda address: True)
    return context


@pytest.fixture
def secure(
    make_server: Any, tls: ssl.SSLContext, resolve: Any, monkeypatch: pytest.MonkeyPatch
) -> RawServer:
    """That host; port 443 of it is a free port of ours."""
    server = make_server(http(b"\x89PNG", headers=PNG), tls=tls)
    resolve("127.0.0.1")
    build = downloads._pool
    monkeypatch.setattr(
        downloads,
        "_pool",
        lambda target, address: build(
            downloads.Target(target.host, server.server_address[1], target.path, is_local=False),
            address,
        ),
    )
    return server


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_picture_travels_by_tls_even_where_the_address_says_http(
    secure: RawServer, scheme: str
) -> None:
    assert fetch(f"{scheme}://{HOST}/a") == b"\x89PNG"
    assert f"Host: {HOST}\r\n" in secure.requests[0].decode()


def test_certificate_of_another_host_is_not_believed(secure: RawServer) -> None:
    with pytest.raises(Unavailable):
        fetch("https://wx.qlogo.cn/a")
    assert secure.requests == []


def test_certificate_that_nobody_vouches_for_is_not_believed(
    secure: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert "REQUESTS_CA_BUNDLE" not in os.environ
    with pytest.raises(Unavailable):
        fetch(f"https://{HOST}/a")
    assert secure.requests == []
