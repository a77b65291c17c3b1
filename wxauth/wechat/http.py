"""
The wire to WeChat: one call out, one JSON object back. The only file that knows ``requests``.

A URL here holds the app secret or an access_token, and the exceptions and log records of requests
and urllib3 hold the URL. So none of their exceptions leaves this file, not even as a cause or
context, and their log records lose the query.
"""

import json
import logging
import os
import re
import socket
import threading
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from django.views.decorators.debug import sensitive_variables
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPConnection

from wxauth.conf import conf
from wxauth.exceptions import WechatError, WechatTimeout, WechatUnavailable
from wxauth.wechat.errcodes import BUSY
from wxauth.wechat.types import Answer, Call

logger = logging.getLogger("wxauth.wechat")

CONNECTIONS = 32  # kept open per process and host: as many as threads are likely to ask at once
MAX_ANSWER = 1024 * 1024  # bytes; real ones stay under 10 kB, and one cut off here is no JSON
IDLE = 60  # seconds of silence after which the system probes a kept connection

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_QUERY = re.compile(r"(/(?:sns|cgi-bin|wxa)/[^\s?\"']*)\?[^\s\"']*")

# A failed connection is tried once more: WeChat has seen nothing yet. urllib3 knows for certain
# which failures those are, behind a proxy too. Everything after that is our own decision.
_CONNECT_TWICE = urllib3.Retry(
    total=None,
    connect=1,
    read=False,
    redirect=False,
    status=0,
    other=0,
    respect_retry_after_header=False,
)


class ConnectionLost(WechatUnavailable):
    """The connection broke after the request had gone out: WeChat may have acted on it."""


class _LocalSession(requests.Session):
    """A session that follows no redirect, which would carry the secret elsewhere."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _KeepAliveAdapter(HTTPAdapter):
    """Connections that the system probes, so that a dead one behind NAT is found out unused."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, socket_options=_socket_options(), **kwargs)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, socket_options=_socket_options(), **proxy_kwargs)


class HideQueries(logging.Filter):
    """Takes the query out of the URLs of WeChat's API; everything else passes untouched."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        hidden = _QUERY.sub(r"\1?[hidden]", message)
        if hidden != message:
            record.msg, record.args = hidden, ()
        return True


_sessions: dict[str, requests.Session] = {}
_lock = threading.Lock()


@sensitive_variables()
def send(call: Call) -> Answer:
    """
    Return the JSON object that WeChat answers to one request, whatever errcode it holds.

    Raise ``WechatTimeout`` when WeChat is too slow, ``ConnectionLost`` when the connection broke
    under the request, and ``WechatUnavailable`` for every other way in which there is no JSON
    object: no connection, a status other than 200, HTML, nothing, too much.
    """
    outcome = _attempt(call)
    if isinstance(outcome, Answer):
        return outcome
    # Here, where no exception is being handled, so that the failure has no context: that holds
    # the URL. Nor has this frame seen the body, which error trackers would show.
    logger.warning("%s", outcome)
    raise outcome


def close_sessions() -> None:
    """Close all connections of this process; the next call opens new ones."""
    with _lock:
        sessions = list(_sessions.values())
        _sessions.clear()
    for session in sessions:
        session.close()


def _attempt(call: Call) -> Answer | WechatError:
    """Send one request; return what came of it, and raise nothing."""
    try:
        status, content = _exchange(call)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        return _explain(call, error)
    answer = _decode(content) if status == 200 else None
    return answer or WechatUnavailable(
        reason=f"{call.path}: HTTP {status}, no JSON object", retry_after=BUSY
    )


def _exchange(call: Call) -> tuple[int, bytes]:
    """Send one request; return the status and the first ``MAX_ANSWER`` bytes of the answer."""
    base_url = conf.api_base_url
    with _session(base_url).request(
        "GET" if call.body is None else "POST",
        base_url + call.path,
        params=dict(call.query),
        # WeChat wants raw JSON, and Chinese in it as it is.
        data=None if call.body is None else json.dumps(call.body, ensure_ascii=False).encode(),
        headers={} if call.body is None else {"Content-Type": "application/json"},
        timeout=conf.timeouts,
        stream=True,
    ) as response:
        content = response.raw.read(MAX_ANSWER, decode_content=True)
        # Leaving the block gives back a connection that has been read to its end, and closes
        # one that has not.
        return response.status_code, content


def _explain(call: Call, error: Exception) -> WechatError:
    """Tell a timeout from a broken connection from the rest, by the error and what it wraps."""
    causes: list[Exception] = [error, *(arg for arg in error.args if isinstance(arg, Exception))]
    for cause in causes:
        if isinstance(cause, urllib3.exceptions.MaxRetryError) and cause.reason:
            causes.append(cause.reason)
    reason = f"{call.path}: {type(causes[-1]).__name__}"
    timeouts = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    refused = urllib3.exceptions.NewConnectionError  # of which urllib3 makes a timeout's child
    if any(isinstance(cause, refused) for cause in causes):
        return WechatUnavailable(reason=reason, retry_after=BUSY)
    if any(isinstance(cause, timeouts) for cause in causes):
        return WechatTimeout(reason=reason, retry_after=BUSY)
    if any(isinstance(cause, urllib3.exceptions.ProtocolError) for cause in causes):
        return ConnectionLost(reason=reason, retry_after=BUSY)
    return WechatUnavailable(reason=reason, retry_after=BUSY)


def _decode(content: bytes) -> Answer | None:
    """
    Return the JSON object in ``content``, or None.

    The body is UTF-8 whatever its Content-Type says, and nicknames hold raw control characters.
    Half a surrogate pair, which no database takes, becomes U+FFFD.
    """
    try:
        fields = _mend(json.loads(content.decode("utf-8"), strict=False))
    except (ValueError, RecursionError):
        return None
    return Answer(fields) if isinstance(fields, dict) else None


def _mend(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_mend(item) for item in value]
    if isinstance(value, dict):
        return {_mend(key): _mend(item) for key, item in value.items()}
    return value


def _session(base_url: str) -> requests.Session:
    """Return this process's session for a host; building one costs more than a whole sign-in."""
    session = _sessions.get(base_url)
    if session is None:
        with _lock:
            session = _sessions.get(base_url)
            if session is None:
                session = _sessions[base_url] = _build_session(base_url)
    return session


def _build_session(base_url: str) -> requests.Session:
    session = _LocalSession()
    adapter = _KeepAliveAdapter(pool_maxsize=CONNECTIONS, max_retries=_CONNECT_TWICE)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # requests reads proxies and certificates from the environment at every call, a quarter of its
    # time; once per session is enough. Nor does it look for a password in ~/.netrc then.
    session.trust_env = False
    session.proxies = get_environ_proxies(base_url)
    session.verify = (
        os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    )
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _socket_options() -> list[tuple[int, int, int | bytes]]:
    options = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    if hasattr(socket, "TCP_KEEPIDLE"):  # not on every system
        options.append((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE))
    return options


def _forget_sessions() -> None:
    """In a forked child: leave the parent's connections to the parent."""
    global _lock
    _lock = threading.Lock()
    _sessions.clear()


if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(after_in_child=_forget_sessions)

_hide_queries = HideQueries()
for _name in ("connectionpool", "connection", "poolmanager", "response", "util.retry"):
    # On the very loggers that write: a filter on their parent would not see their records.
    logging.getLogger(f"urllib3.{_name}").addFilter(_hide_queries)
