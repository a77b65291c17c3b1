"""
Pictures that lie on WeChat's hosts, fetched for a copy of our own.

Their addresses have passed through clients, so each of them may be an attack: on what else listens
in our network, on our memory, on our patience. Only hosts of ``WXAUTH_AVATAR_HOSTS`` are asked.
"""

import ipaddress
import os
import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import HTTPError

from wxauth.conf import conf
from wxauth.images import MAX_BYTES

CONNECT, READ, WHOLE = 3, 5, 15  # seconds: to connect, between two pieces, for all of it
PIECE = 16 * 1024  # bytes
UNICAST = ipaddress.ip_network("2000::/3")  # outside, others are wrapped, or nobody is at all

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """It will not be fetched, now or later."""


class Unavailable(Exception):
    """It could not be fetched this time."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a picture lies. ``is_local``: on this machine, where the project itself has said so."""

    host: str
    port: int
    path: str
    is_local: bool


def may_fetch(url: str) -> bool:
    """Tell whether the address is one that ``fetch`` would ask for."""
    try:
        read_target(url)
    except Refused:
        return False
    return True


def fetch(url: str) -> bytes:
    """
    Return the picture at this address, at most 4 MiB, unread.

    By https, also where the address says http, as WeChat's did for years; from a public address,
    looked up once, so that no second answer of a name server counts; no redirect is followed.
    Raise ``Refused`` or ``Unavailable``.
    """
    target = read_target(url)
    address = str(_resolve(target))
    try:
        with _pool(target, address) as pool:
            return _read(pool, target)
    except (HTTPError, OSError) as error:
        failure = Unavailable(type(error).__name__)
    raise failure


def read_target(url: str) -> Target:
    """Return where the address leads, or raise ``Refused``."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise Refused("not an address")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")  # as it is looked up: a part that is empty or too long is a ValueError
    except ValueError:
        raise Refused("not an address") from None
    if parts.scheme not in {"http", "https"} or "@" in parts.netloc:
        raise Refused("not an address of a picture")
    if not conf.is_avatar_host(host):
        raise Refused("the host is not on the list")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if conf.is_this_machine(host):
        usual = 80 if parts.scheme == "http" else 443
        return Target(host, port or usual, path, is_local=parts.scheme == "http")
    if port not in {None, 443 if parts.scheme == "https" else 80}:
        raise Refused("the port is not the usual one")
    return Target(host, 443, path, is_local=False)


def _resolve(target: Target) -> Address:
    """Return an address of the host; all of them have to be public, or it is refused."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        failure: Exception = Unavailable(type(error).__name__)
    else:
        addresses = [ipaddress.ip_address(row[4][0]) for row in found]
        if conf.is_this_machine(target.host) or all(map(_is_public, addresses)):
            return addresses[0]
        failure = Refused("the host has an address that is not public")
    raise failure


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        if address.sixtofour or address.teredo or address not in UNICAST:
            return False
    return address.is_global and not address.is_multicast


def _pool(target: Target, address: str) -> urllib3.HTTPConnectionPool:
    timeout = urllib3.Timeout(connect=CONNECT, read=READ)
    if target.is_local:
        return urllib3.HTTPConnectionPool(address, target.port, timeout=timeout)
    return urllib3.HTTPSConnectionPool(
        address,
        target.port,
        timeout=timeout,
        server_hostname=target.host,
        cert_reqs="CERT_REQUIRED",
        ca_certs=os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH,
    )


def _read(pool: urllib3.HTTPConnectionPool, target: Target) -> bytes:
    ends = time.monotonic() + WHOLE
    usual = 80 if target.is_local else 443
    host = target.host if target.port == usual else f"{target.host}:{target.port}"
    response = pool.urlopen(
        "GET",
        target.path,
        headers={"Host": host, "Accept": "image/*", "User-Agent": "wxauth"},
        retries=False,
        redirect=False,
        preload_content=False,
    )
    try:
        _check(response)
        content = b""
        # What is there, and not a whole piece: a host that drips would never be through with one.
        while piece := response.read1(PIECE, decode_content=False):
            content += piece
            if len(content) > MAX_BYTES:
                raise Refused("too many bytes")
            if time.monotonic() > ends:
                raise Unavailable("too slow")
        return content
    finally:
        response.close()  # whatever is left of it is not wanted


def _check(response: urllib3.BaseHTTPResponse) -> None:
    status, kind = response.status, response.headers.get("Content-Type", "")
    if status >= 500 or status in {408, 429}:
        raise Unavailable(f"HTTP {status}")
    if status != 200:
        raise Refused(f"HTTP {status}")
    if not kind.lower().startswith("image/"):
        raise Refused("not a picture")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Refused("packed, and could be a bomb")
