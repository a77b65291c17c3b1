"""Message push: what WeChat posts to the server of an app, signed and if need be encrypted."""

import http.client
import json
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from wxauth.crypto import encrypt_push, push_signature
from wxauth.simulator.errors import SimulatorError
from wxauth.simulator.loopback import addresses, is_loopback
from wxauth.simulator.world import SimulatedApp

EVENTS = ("user_info_modified", "user_authorization_revoke", "user_authorization_cancellation")
FORMATS = ("xml", "json")
TIMEOUT = 5  # seconds; WeChat waits as long
ANSWER = 1000  # characters of an answer that are kept
Fields = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Push:
    """A message on its way: the fields of the address, the body, and how it is written."""

    query: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    content_type: str


def event_fields(
    app: SimulatedApp, openid: str, event: str, *, at: int, revoke_info: str
) -> Fields:
    """Return the fields of an event, as the documentation has them."""
    fields: Fields = {
        "ToUserName": f"gh_{app.app_id[-12:]}",
        "FromUserName": "oSimulatedPlatformService000",
        "CreateTime": at,
        "MsgType": "event",
        "Event": event,
        "OpenID": openid,
        "AppID": app.app_id,
    }
    if revoke_info:
        fields["RevokeInfo"] = revoke_info
    return fields


def make_push(app: SimulatedApp, fields: Fields, *, form: str, at: int) -> Push:
    """Return the message that carries ``fields``: encrypted when the app has a key for that."""
    if not app.push_token:
        raise SimulatorError(f"{app.app_id} has no push_token")
    if form not in FORMATS:
        raise SimulatorError(f"no format {form!r}; there are: {', '.join(FORMATS)}")
    timestamp, nonce = str(at), str(secrets.randbelow(10**9))
    query = {
        "signature": push_signature(app.push_token, timestamp, nonce),
        "timestamp": timestamp,
        "nonce": nonce,
    }
    body = _write(fields, form)
    if app.push_aes_key:
        encrypted = encrypt_push(body, aes_key=app.push_aes_key, app_id=app.app_id)
        query["encrypt_type"] = "aes"
        query["msg_signature"] = push_signature(app.push_token, timestamp, nonce, encrypted)
        body = _write({"ToUserName": fields["ToUserName"], "Encrypt": encrypted}, form)
    return Push(query, body, "application/json" if form == "json" else "text/xml")


def send(push: Push, url: str) -> tuple[int, str]:
    """Post it and return status and text of the answer. ``SimulatorError`` off this machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        host, port = "", 80
    if not host or parts.scheme != "http" or not is_loopback(host):
        raise SimulatorError("url is an http address on this machine")
    path = f"{parts.path or '/'}?{urlencode(push.query)}"
    connection = http.client.HTTPConnection(addresses(host)[0], port, timeout=TIMEOUT)
    headers = {"Content-Type": push.content_type, "Host": parts.netloc}
    try:
        connection.request("POST", path, body=push.body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")[:ANSWER]
    except (OSError, http.client.HTTPException) as error:
        raise SimulatorError(f"{url} does not answer: {type(error).__name__}") from None
    finally:
        connection.close()


def _write(fields: Fields, form: str) -> bytes:
    if form == "json":
        return json.dumps(fields, ensure_ascii=False).encode()
    lines = [
        f"<{name}>{value}</{name}>"
        if isinstance(value, int)
        else f"<{name}><![CDATA[{value.replace(']]>', '')}]]></{name}>"
        for name, value in fields.items()
    ]
    return "\n".join(["<xml>", *lines, "</xml>"]).encode()
