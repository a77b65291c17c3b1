"""Requests that are broken as a whole: bodies, types, methods, headers, connections."""

import base64
import json
import math
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import jwt
import pytest
from django.test import Client

from tests.api.answers import check_refusal, row_counts
from tests.api.routes import CODE, ROUTES, Route
from tests.phone import Phone

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
GOOD = f'{{"code": {CODE}}}'.encode()
BY_NAME = list({route.name: route for route in ROUTES}.values())
each_route = pytest.mark.parametrize("route", BY_NAME, ids=lambda route: route.name)


@pytest.fixture(autouse=True)
def _no_limits(settings: Any) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": None, "person": None}


@pytest.fixture
def send(member: Phone) -> Callable[..., Any]:
    """Return a function that sends anything to a route and asserts that nothing comes of it."""
    client = Client()

    def send(route: Route, body: bytes = b"", kind: str = JSON, **more: Any) -> Any:
        rows, calls = row_counts(), len(member.simulator.requests)
        headers = {"Authorization": f"Bearer {member.tokens['access']}"} if route.signed_in else {}
        headers |= more.pop("headers", {})
        method = more.pop("method", route.method).upper()
        response = client.generic(method, f"/api/{route.name}", body, kind, headers=headers, **more)
        assert row_counts() == rows
        assert len(member.simulator.requests) == calls, "WeChat was asked"
        return response

    return send


@each_route
def test_json_that_is_no_object_is_refused(send: Any, route: Route) -> None:
    for body in ("null", "[]", '["a"]', "1", "1.5", "true", '"text"'):
        check_refusal(send(route, body.encode()), 400, "invalid_input")


ONE_OF_EACH_TYPE = {
    ("authorize", "referrer"),
    ("refresh_token", "refresh"),
    ("logout", "all"),
    ("me", "avatar_url"),
    ("me", "gender"),
    ("me", "ext"),
}
BROKEN_JSON = {
    "cut off": b'{"code": "a',
    "two objects": b"{}{}",
    "a comma too much": b'{"code": "a",}',
    "a comment": b"{} // yes",
    "single quotes": b"{'code': 'a'}",
    "BOM": b"\xef\xbb\xbf" + GOOD,
    "Latin-1": '{"code": "é"}'.encode("latin-1"),
    "UTF-16": '{"code": "a"}'.encode("utf-16"),
    "byte FF": b'{"code": "\xff"}',
    "surrogate in UTF-8": b'{"code": "\xed\xa0\xbd"}',
    "NUL": b"\x00",
    "spaces": b"   ",
    "gzip": b"\x1f\x8b\x08\x00",
    "NaN": b"NaN",
    "the same name twice": b'{"code": "a", "code": "b"}',
    "too deep": b"[" * 100_000 + b"]" * 100_000,
    "too deep and small": b"[" * 10_000 + b"]" * 10_000,
    "too deep and cut off": b'{"a":' * 10_000,
    "1 MB": b'{"code": "' + b"x" * 10**6 + b'"}',
    "10 MB": b'{"code": "' + b"x" * 10**7 + b'"}',
    "10 MB of spaces": b" " * 10**7 + GOOD,
}
BROKEN_FORM = {
    "byte FF": b"code=\xff",
    "byte FF, encoded": b"code=%FF",
    "byte FF in a name": b"%FF=1&code=a",
    "surrogate in UTF-8": b"code=%ED%A0%BD",
    "the same name twice": b"code=a&code=b",
    "a thousand fields": b"&".join(b"f%d=1" % number for number in range(1000)),
    "1 MB": b"code=" + b"x" * 10**6,
}


@each_route
def test_broken_json_is_refused(send: Any, route: Route) -> None:
    for name, body in BROKEN_JSON.items():
        status = 413 if len(body) > 64 * 1024 else 400
        answer = check_refusal(send(route, body), status)
        expected = "body_too_large" if status == 413 else "malformed_request"
        assert answer["code"] == expected, name


@each_route
def test_broken_form_is_refused(send: Any, route: Route) -> None:
    for name, body in BROKEN_FORM.items():
        status = 413 if len(body) > 64 * 1024 else 400
        answer = check_refusal(send(route, body, FORM), status)
        expected = "body_too_large" if status == 413 else "malformed_request"
        assert answer["code"] == expected, name


@pytest.mark.parametrize(
    ("route", "name"),
    [
        (route, name)
        for route in ROUTES
        for name in route.fields
        if (route.name, name) in ONE_OF_EACH_TYPE
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_no_number_of_levels_of_json_breaks_a_field(send: Any, route: Route, name: str) -> None:
    """Between what is shallow and what cannot be read must be no gap to fall into."""
    for depth in (1, 15, 16, 17, *range(500, 1000, 20)):
        for opening, closing in ("[", "]"), ('{"a":', "}"):
            value = opening * depth + "1" + closing * depth
            if name == "ext" and opening != "[" and depth < 16:
                continue  # an object that is good
            check_refusal(send(route, route.json(name, value)), 400)


KINDS = [
    "text/plain",
    "",
    "garbage",
    "application/xml",
    "application/jsonp",
    "/",
    "*/*",
    ";",
    "\xff",
]
KINDS += ["multipart/form-data; boundary=x", "multipart/form-data", f"{JSON}, {FORM}", "text/json"]


@each_route
def test_other_content_type_is_refused(send: Any, route: Route) -> None:
    for kind in KINDS:
        check_refusal(send(route, b"--x\r\n\r\n{}", kind), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "parameter", ["charset=gbk", "charset=utf-16", "charset=no-such", "x", '"']
)
@pytest.mark.parametrize("kind", [JSON, FORM, "Application/JSON"])
def test_parameter_of_the_content_type_changes_nothing(
    member: Phone, kind: str, parameter: str
) -> None:
    """The body is UTF-8 whatever the header claims."""
    body = '{"token": "小明"}' if kind.lower() == JSON else "token=%E5%B0%8F"
    response = Client().post("/api/check_token", body.encode(), f"{kind};{parameter}")
    check_refusal(response, 401, "token_invalid")


@each_route
def test_other_method_is_refused(send: Any, route: Route) -> None:
    further = {"me": {"GET", "HEAD", "PATCH"}, "consent": {"GET", "HEAD", "POST"}}
    allowed = further.get(route.name, {"POST"})
    for method in {"GET", "PUT", "DELETE", "OPTIONS", "TRACE", "HEAD", "FOO"} - allowed:
        response = send(route, method=method)
        assert response.status_code == 405
        assert set(response["Allow"].split(", ")) == allowed
        if method != "HEAD":
            check_refusal(response, 405, "method_not_allowed")


def test_head_of_me_has_no_body(member: Phone) -> None:
    response = member.client.head("/api/me")
    assert (response.status_code, response.content) == (200, b"")


def test_answer_is_json_whatever_accept_says(member: Phone) -> None:
    for accept in ("text/html", "application/xml", "", "*/*;q=0", "ü", "x" * 9000):
        for query in ("", "?format=xml", "?format=api", "?format="):
            response = member.client.get(f"/api/me{query}", headers={"Accept": accept})
            assert response.status_code == 200
            assert response["Content-Type"] == "application/json"


def nested_header() -> str:
    header = base64.urlsafe_b64encode(b"[" * 3000 + b"]" * 3000).decode().rstrip("=")
    return f"{header}.e30.AAAA"


BROKEN_TOKENS = {
    "empty": "",
    "one word": "Bearer",
    "no scheme": "abc.def.ghi",
    "another scheme": "Basic YTpi",
    "three words": "Bearer a b",
    "many words": "Bearer " + "a " * 1000,
    "Latin-1": "Bearer é",
    "Chinese": "Bearer 令牌",
    "half an emoji": "Bearer \ud83d",
    "NUL": "Bearer \x00",
    "three dots": "Bearer ...",
    "no base64": "Bearer !.!.!",
    "100 kB": "Bearer " + "a" * 100_000,
    "100 kB of dots": "Bearer " + "." * 100_000,
    "brackets": f"Bearer {nested_header()}",
    "no algorithm": "Bearer eyJhbGciOiJub25lIn0.e30.",
    "a number": "Bearer MQ.MQ.MQ",
}


@each_route
def test_broken_authorization_is_refused(send: Any, route: Route) -> None:
    # The other routes do not look at it; what they miss is their own field.
    status = 401 if route.signed_in or route.name == "check_token" else 400
    for value in BROKEN_TOKENS.values():
        check_refusal(send(route, b"{}", headers={"Authorization": value}), status)


@pytest.mark.parametrize("name", BROKEN_TOKENS)
def test_broken_token_is_refused_wherever_it_is_sent(api: Any, name: str) -> None:
    token = BROKEN_TOKENS[name].removeprefix("Bearer ")
    body = json.dumps({"token": token})
    check_refusal(api.post("/api/check_token", body, content_type=JSON))
    body = json.dumps({"refresh": token})
    check_refusal(api.post("/api/refresh_token", body, content_type=JSON))
    query = quote(token, errors="surrogatepass")
    check_refusal(api.generic("POST", f"/api/check_token?token={query}"), 401)


@pytest.mark.parametrize("name", ["exp", "sid", "iss", "aud", "token_type", "iat", "gen", "jti"])
def test_token_that_is_signed_well_but_claims_nonsense_breaks_nothing(
    member: Phone, settings: Any, name: str
) -> None:
    """Another service with our signing key may make such tokens."""
    for route, field, kind in [
        ("check_token", "token", "access"),
        ("refresh_token", "refresh", "refresh"),
    ]:
        claims = jwt.decode(member.tokens[kind], options={"verify_signature": False})
        for claim in (math.inf, math.nan, "x", [], {}, None, True, 10**400, -1, "9" * 5000):
            payload = json.dumps({**claims, name: claim}).encode()
            token = jwt.api_jws.encode(payload, settings.SECRET_KEY, algorithm="HS256")
            response = member.post(route, {field: token})
            if name in {"iat", "gen", "jti"} and response.status_code == 200:
                continue  # nothing depends on these here
            check_refusal(response)


def test_query_of_a_thousand_fields_is_refused(api: Any) -> None:
    query = "&".join(f"f{number}=1" for number in range(1001))
    check_refusal(api.post(f"/api/check_token?{query}"), 400, "malformed_request")


ODD_AGENTS = ["\x00", "\ud83d", "é" * 10_000, "\x1b[31m", "🙂" * 300]
ODD_ADDRESSES = ["", "unix:", "fe80::1%eth0", "[::1]:443", "999.1.1.1", "é", "1" * 5000, "::1\x00"]


def test_odd_user_agent_does_not_stop_a_sign_in(phone: Phone) -> None:
    for agent in ODD_AGENTS:
        response = phone.post("authorize", {"code": phone.code()}, **{"User-Agent": agent})
        assert response.status_code in (200, 201)


def test_odd_address_does_not_stop_a_sign_in(phone: Phone) -> None:
    for address in ODD_ADDRESSES:
        body = json.dumps({"code": phone.code()})
        response = Client().post("/api/authorize", body, JSON, REMOTE_ADDR=address)
        assert response.status_code in (200, 201)


class TestOverARealSocket:
    """The same where no test client helps: bytes to a server, bytes from it."""

    @pytest.fixture
    def talk(self, live_server: Any, wechat_simulator: Any) -> Callable[..., bytes]:
        address = urlsplit(live_server.url)

        def talk(head: str, body: bytes = b"", *, hang_up: bool = False) -> bytes:
            """Send a request; return all that comes back until the server closes."""
            with socket.create_connection((address.hostname, address.port), timeout=10) as wire:
                head = f"{head}\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n"
                wire.sendall(head.encode("latin-1") + body)
                if hang_up:
                    return b""
                wire.shutdown(socket.SHUT_WR)
                answer = b""
                while piece := wire.recv(65536):
                    answer += piece
                return answer

        return talk

    def test_broken_body_is_refused(self, talk: Any) -> None:
        for status, length, body in [
            (400, 3, b"nix"),
            (413, 10**7, b" " * 10**7),
            (400, 10**7, GOOD),  # promises more than it sends
            (400, 5, GOOD),  # sends more than it has promised
            (400, -5, GOOD),
            (400, 0, b""),
            (400, "x", GOOD),
            (400, 60_000, b"[" * 30_000 + b"]" * 30_000),
        ]:
            head = f"POST /api/login HTTP/1.1\r\nContent-Type: {JSON}\r\nContent-Length: {length}"
            answer = talk(head, body)
            assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (length, answer[:300])
            assert set(json.loads(answer.partition(b"\r\n\r\n")[2])) >= {"code", "action"}

    def test_half_a_form_is_not_taken_for_the_whole(self, talk: Any, wechat_simulator: Any) -> None:
        head = f"POST /api/login HTTP/1.1\r\nContent-Type: {FORM}\r\nContent-Length: 500"
        answer = talk(head, b"code=0a1b2c3d4e5f6071")
        assert answer.startswith(b"HTTP/1.1 400 "), answer[:300]
        assert not wechat_simulator.requests

    def test_client_that_hangs_up_leaves_the_server_alive(self, talk: Any) -> None:
        head = f"POST /api/login HTTP/1.1\r\nContent-Type: {JSON}\r\nContent-Length: 500"
        for _ in range(5):
            talk(head, b'{"code": "a', hang_up=True)
        answer = talk("POST /api/check_token HTTP/1.1\r\nAuthorization: Bearer \xe9\xff")
        assert answer.startswith(b"HTTP/1.1 401 "), answer[:300]
        assert b'"token_invalid"' in answer
