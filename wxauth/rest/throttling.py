"""
Rate limits, as DRF throttles: so many requests per address, so many per person.

Counted with the cache's ``incr``, which is atomic, in windows that begin on the whole minute or
hour; DRF's own throttle reads a list, appends to it and writes it back, and parallel requests
slip through. A cache that does not answer lets requests pass: nobody is locked out by an outage.
"""

import hashlib
import ipaddress
import re
import time
from typing import Any

from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from wxauth.conf import conf
from wxauth.exceptions import StoreUnavailable
from wxauth.sealed_cache import open_cache

NO_ADDRESS = "::"  # a server behind a Unix socket names none
_ADDRESS = re.compile(
    r"(?P<v4>[0-9.]+)(?::[0-9]+)?"
    r"|\[(?P<bracketed>[0-9A-Fa-f:.]+)(?:%[^]]*)?\](?::[0-9]+)?"
    r"|(?P<v6>[0-9A-Fa-f:.]+)(?:%.*)?"
)
PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # seconds, by the first letter


class AddressThrottle(BaseThrottle):
    """Counts by the client's address and the view's ``throttle_group``."""

    scope = "address"

    def allow_request(self, request: Request, view: APIView) -> bool:
        return self.count(self.ident(request, view), group=getattr(view, "throttle_group", ""))

    def ident(self, request: Request, view: APIView) -> str:
        return subscriber(request)

    def count(self, ident: str, *, group: str) -> bool:
        """Count one request; tell whether it is still within the rate."""
        rate = conf.throttle_rates.get(self.scope)
        if rate is None:
            return True
        limit, period = parse_rate(rate)
        window, elapsed = divmod(time.time(), period)
        self.seconds_left = period - elapsed
        # Hashed: the person's openid is nobody's business who lists the cache's keys.
        digest = hashlib.sha256(ident.encode()).hexdigest()[:32]
        name = f"wxauth:throttle:{self.scope}:{group}:{digest}:{int(window)}"
        try:
            return _increment(name, ttl=2 * period) <= limit
        except StoreUnavailable:
            return True

    def wait(self) -> float:
        return self.seconds_left

    @classmethod
    def check(cls, ident: str, *, group: str) -> None:
        """Count one request of this ident; raise ``Throttled`` when it is one too many."""
        throttle = cls()
        if not throttle.count(ident, group=group):
            raise Throttled(throttle.wait())


class PersonThrottle(AddressThrottle):
    """Counts by the signed-in user, or by whoever ``check`` is told the request has proved."""

    scope = "person"

    def ident(self, request: Request, view: APIView) -> str:
        return str(request.user.pk)


def client_address(request: Any) -> str | None:
    """
    Return the address of the client, or None when there is none.

    ``X-Forwarded-For`` counts only for as many proxies as DRF's ``NUM_PROXIES`` vouches for, from
    its right end: what stands further left, the client has written.
    """
    address = request.META.get("REMOTE_ADDR", "")
    proxies = api_settings.NUM_PROXIES
    if proxies:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        address = forwarded[-min(proxies, len(forwarded))].strip() or address
    # Some proxies add the port; a link-local address brings its zone, which no database takes.
    found = _ADDRESS.fullmatch(address)
    try:
        parsed = ipaddress.ip_address(found[found.lastgroup or 0] if found else "")
    except ValueError:
        return None
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def subscriber(request: Any) -> str:
    """Return whose address the request comes from, as limits count it."""
    address = ipaddress.ip_address(client_address(request) or NO_ADDRESS)
    if address.version == 6:
        # One subscriber owns a whole /64 and could use a new address for each request.
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def parse_rate(rate: str) -> tuple[int, int]:
    """Return requests and seconds of ``60/min``."""
    number, period = rate.split("/")
    return int(number), PERIODS[period.strip()[0]]


def _increment(name: str, *, ttl: int) -> int:
    with open_cache() as cache:
        if cache.add(name, 1, timeout=ttl):
            return 1
        try:
            # None: an outage, from a cache that is told to keep quiet about them.
            return int(cache.incr(name) or 1)
        except ValueError:  # it expired in between
            return 1
