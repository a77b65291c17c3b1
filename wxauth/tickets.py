"""Tickets: a confirmed person without an account, for the minutes it takes to register."""

import hashlib
import json
import secrets

from wxauth import sealed_cache
from wxauth.conf import conf
from wxauth.exceptions import TicketInvalid, UnknownApp
from wxauth.identities import ConfirmedPerson

TTL = 600  # seconds; a person reads a consent page and fills in a nickname


def issue(person: ConfirmedPerson) -> str:
    """Keep the person and return the ticket: 256 random bits, URL-safe, good for ten minutes."""
    ticket = secrets.token_urlsafe(32)
    fields = [person.app.alias, person.openid, person.unionid, person.session_key]
    sealed_cache.put(_name(ticket), json.dumps(fields).encode(), ttl=TTL)
    return ticket


def look(ticket: str) -> ConfirmedPerson:
    """Return the person behind the ticket without using it up, or raise ``TicketInvalid``."""
    kept = sealed_cache.get(_name(ticket))
    if kept is None:
        raise TicketInvalid(reason="unknown, expired or used")
    alias, openid, unionid, session_key = json.loads(kept)
    try:
        app = conf.app(alias)
    except UnknownApp:
        app = None
    if app is None:
        raise TicketInvalid(reason="its app is no longer configured")
    return ConfirmedPerson(app=app, openid=openid, unionid=unionid, session_key=session_key)


def use_up(ticket: str) -> None:
    """Take the ticket out of use; of many callers at once all but one get ``TicketInvalid``."""
    if not sealed_cache.delete(_name(ticket)):
        raise TicketInvalid(reason="used by another request at the same moment")


def _name(ticket: str) -> str:
    # Whoever can list the cache's keys must not be able to use a ticket.
    digest = hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()
    return f"wxauth:ticket:{digest}"
