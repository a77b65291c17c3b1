"""From a request to the bytes of its answer, faults and quirks included; still no sockets."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from wxauth.simulator import avatars, pages
from wxauth.simulator.controls import ROUTES, Controls
from wxauth.simulator.errors import ApiError, SimulatorError, error_answer
from wxauth.simulator.faults import Fault, TransportFault
from wxauth.simulator.phone import PREFIX, answer_phone
from wxauth.simulator.quirks import Quirk, apply_answer_quirks, dump_json
from wxauth.simulator.records import Call
from wxauth.simulator.routing import JSON, TEXT, Request, answer_request

LOOPBACK_ORIGIN = re.compile(r"https?://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?")
SCRIPT_PATH = "/connect/zh_CN/htmledition/js/wxLogin.js"
SCRIPT = Path(__file__).parent / "static" / "wxLogin.js"
BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body>502</body></html>"
RAW_BODIES = {
    TransportFault.HTML502: (502, "text/html", BAD_GATEWAY),
    TransportFault.EMPTY: (200, TEXT, b""),
    TransportFault.JSON_ARRAY: (200, JSON, b"[]"),
    TransportFault.INVALID_UTF8: (200, JSON, b'{"openid":"\xff\xfe"}'),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server does: send, after ``delay`` seconds; or else hold on, or reset."""

    status: int = 200
    content_type: str = JSON
    body: bytes = field(default=b"", repr=False)
    content_length: int | None = None  # when it is to differ from that of the body
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    holds: bool = False
    resets: bool = False


NOT_KEPT: tuple[tuple[str, str], ...] = (("Cache-Control", "no-store"),)
NOT_READ_ONLY = Reply(405, "text/plain", headers=(("Allow", "GET, HEAD"),))


def reply_to(controls: Controls, request: Request, *, connection_id: int, origin: str) -> Reply:
    """Return the reply to any request: of a phone or a page, or of an app's server."""
    if request.path.startswith(PREFIX):
        return _phone_reply(controls, request, origin)
    if request.path == SCRIPT_PATH:
        return _file_reply(request, "text/javascript; charset=utf-8", SCRIPT.read_bytes())
    if request.path.startswith(avatars.PREFIX):
        with controls.world.lock:
            picture = controls.world.avatars.picture(request.path)
        return _file_reply(request, "image/png", picture)
    if request.path in pages.PATHS:
        return _page_reply(controls, request)
    return _api_reply(controls, request, connection_id)


def _file_reply(request: Request, content_type: str, body: bytes | None) -> Reply:
    if request.method not in ("GET", "HEAD"):
        return NOT_READ_ONLY
    if body is None:
        return Reply(404, "text/plain", headers=NOT_KEPT)
    return Reply(200, content_type, body, headers=NOT_KEPT)


def _page_reply(controls: Controls, request: Request) -> Reply:
    if request.method not in ("GET", "HEAD"):
        return NOT_READ_ONLY
    status, html, location = pages.show_page(controls.world, request)
    headers = NOT_KEPT
    if location is not None:
        headers += (("Location", location),)
    return Reply(status, "text/html; charset=utf-8", html.encode(), headers=headers)


def _phone_reply(controls: Controls, request: Request, origin: str) -> Reply:
    headers: tuple[tuple[str, str], ...] = (("Vary", "Origin"), ("Cache-Control", "no-store"))
    if LOOPBACK_ORIGIN.fullmatch(origin):
        headers += (("Access-Control-Allow-Origin", origin),)
    if request.method not in ("GET", "HEAD"):
        headers += (("Allow", "GET, HEAD"),)
        return _phone_answer(405, {"error": "only GET"}, headers)
    try:
        return _phone_answer(200, answer_phone(controls, request.path, request.query), headers)
    except SimulatorError as error:
        return _phone_answer(400, {"error": str(error)}, headers)


def _phone_answer(
    status: int, data: dict[str, object], headers: tuple[tuple[str, str], ...]
) -> Reply:
    return Reply(status, "application/json", json.dumps(data).encode(), headers=headers)


def _api_reply(controls: Controls, request: Request, connection_id: int) -> Reply:
    world = controls.world
    with world.lock:
        call = Call(
            path=request.path,
            method=request.method,
            connection_id=connection_id,
            address=request.address,
            at=world.now(),
            query=dict(request.query),
            body=request.body,
        )
        controls.records.add(call)
        fault = controls.faults.take(request.path)
        if fault.error is None and not fault.is_processed:
            return _transport_reply(fault)
        try:
            if fault.error is not None:
                raise fault.error
            answer = answer_request(ROUTES, world, request)
        except ApiError as error:
            answer = error_answer(error)
        quirks: set[Quirk] = {*world.quirks} | ({fault.quirk} if fault.quirk else set())
    call.errcode = answer.get("errcode", 0)
    body = dump_json(apply_answer_quirks(answer, quirks), quirks).encode()
    content_type = ROUTES[request.path].content_type if request.path in ROUTES else JSON
    if Quirk.OTHER_CONTENT_TYPE in quirks:
        content_type = TEXT if content_type == JSON else JSON
    return _processed_reply(fault, content_type, body)


def _transport_reply(fault: Fault) -> Reply:
    if fault.transport in RAW_BODIES:
        status, content_type, body = RAW_BODIES[fault.transport]
        return Reply(status, content_type, body, delay=fault.delay)
    if fault.transport is TransportFault.RESET:
        return Reply(resets=True, delay=fault.delay)
    return Reply(holds=True)


def _processed_reply(fault: Fault, content_type: str, body: bytes) -> Reply:
    match fault.transport:
        case TransportFault.READ_TIMEOUT_AFTER_PROCESSING:
            return Reply(holds=True)
        case TransportFault.RESET_AFTER_PROCESSING:
            return Reply(resets=True, delay=fault.delay)
        case TransportFault.TRUNCATED:
            return Reply(200, content_type, body[: len(body) // 2], delay=fault.delay)
        case TransportFault.INCOMPLETE:
            half = body[: len(body) // 2]
            return Reply(200, content_type, half, content_length=len(body), delay=fault.delay)
        case _:
            return Reply(200, content_type, body, delay=fault.delay)
