"""How often something may be done, counted in the database: no outage of a cache lifts it."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime

from wxauth import crypto
from wxauth.conf import conf
from wxauth.devices import Device
from wxauth.models import SmsCode, Tally

HOUR, DAY = 3600, 86400  # seconds
NO_ADDRESS = "::"  # all whose address nobody knows are counted together


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What is counted: a key of ``WXAUTH_ATTEMPT_LIMITS``, whose it is, and for how long."""

    scope: str
    ident: str
    period: int

    def name(self, now: datetime) -> str:
        """Return the name of this window's tally, which tells no number and no address."""
        window = int(now.timestamp()) // self.period
        digest = crypto.keyed_digest(
            self.ident, secret=conf.encryption_secrets[0], context=self.scope
        )
        return f"{self.scope}:{window}:{digest[:40]}"

    def end(self, now: datetime) -> datetime:
        """Return when the window is over."""
        window = int(now.timestamp()) // self.period
        return datetime.fromtimestamp((window + 1) * self.period, UTC)


def network(device: Device) -> str:
    """Return whose address it is: an IPv4 address, or the /64 that one IPv6 subscriber owns."""
    address = ipaddress.ip_address(device.ip_address or NO_ADDRESS)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def fingerprint(device: Device) -> str:
    """
    Return what tells devices behind one address apart: the address and the user agent.

    WeChat gives no id of a device, and a header that a client makes up proves nothing. Who
    invents a new user agent each time is still held by the limit of the address.
    """
    return f"{network(device)} {device.user_agent}"


def count(*counted: Counted, now: datetime) -> int | None:
    """
    Count one more of each; return None, or the seconds until the first that is full has room.

    Call it in a transaction, and undo that when some number comes back: nothing counts then.
    """
    for one in counted:
        limit = conf.attempt_limits.get(one.scope)
        if limit is None:
            continue
        end = one.end(now)
        if not Tally.objects.add_one(one.name(now), limit=limit, expires_at=end):
            return int((end - now).total_seconds()) + 1
    return None


def take_back(*counted: Counted, now: datetime) -> None:
    """Undo ``count`` for something that did not happen after all."""
    Tally.objects.take_back(one.name(now) for one in counted)


def forget_expired(*, now: datetime, batch: int = 1000) -> int:
    """
    Delete the tallies and the SMS codes of times that are over; return how many.

    Batch by batch, each in a transaction of its own: no lock lasts, and what is interrupted goes
    on with the next call.
    """
    deleted = 0
    for model in (Tally, SmsCode):
        while keys := list(
            model._default_manager.filter(expires_at__lte=now).values_list("pk", flat=True)[:batch]
        ):
            # Once more by the time: a code may have been sent anew in between.
            deleted += model._default_manager.filter(pk__in=keys, expires_at__lte=now).delete()[0]
    return deleted
