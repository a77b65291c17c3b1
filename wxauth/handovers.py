"""Handing a session over: a ticket in an address, good once and for two minutes, for its tokens."""

import hashlib
import secrets
from uuid import UUID

from wxauth import sealed_cache
from wxauth.exceptions import TicketInvalid

TTL = 120  # seconds


def issue(sid: UUID) -> str:
    """Return a ticket for this session: 256 random bits, URL-safe. Raise ``StoreUnavailable``."""
    ticket = secrets.token_urlsafe(32)
    sealed_cache.put(_name(ticket), sid.hex.encode(), ttl=TTL)
    return ticket


def redeem(ticket: str) -> UUID:
    """Return whose session it is, once; raise ``TicketInvalid`` or ``StoreUnavailable``."""
    kept = sealed_cache.get(_name(ticket))
    if kept is None or not sealed_cache.delete(_name(ticket)):
        raise TicketInvalid(reason="unknown, expired or used")
    return UUID(kept.decode())


def _name(ticket: str) -> str:
    digest = hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()
    return f"wxauth:handover:{digest}"
