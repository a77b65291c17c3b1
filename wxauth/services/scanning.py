"""A code on a computer's screen, and what the phone that scans it says yes to."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

from django.utils import timezone

from wxauth import scans, tickets, tokens, transactions, users
from wxauth.conf import HostUser, conf
from wxauth.devices import NOWHERE, Device
from wxauth.exceptions import IdentityTaken, InvalidInput, NotRegistered, ScanInvalid
from wxauth.models import LoginSession, WechatIdentity
from wxauth.scans import Scan, State
from wxauth.services.freshness import require_fresh
from wxauth.services.linking import link
from wxauth.services.sessions import open_session_of
from wxauth.services.sign_in import SignIn, open_session

BROWSER_LENGTH = 160  # characters of what a browser calls itself


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A phone whose WeChat has no account yet: the ticket that its sign-in was answered with."""

    ticket: str = field(repr=False)


Phone: TypeAlias = LoginSession | Newcomer


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """
    What the person with the phone has to know before they say yes.

    ``account`` is the masked name of the account to which their WeChat is to be linked; None when
    the browser asks to be signed in as them.
    """

    browser: str
    ip_address: str | None
    began_at: datetime
    account: str | None


@dataclass(frozen=True, slots=True)
class ShownScan:
    """A code to show: the text that the phone has to send, and for how many seconds."""

    scan: str = field(repr=False)
    expires_in: int


def begin_scan(*, verifier: str, device: Device = NOWHERE) -> ShownScan:
    """
    Begin a sign-in that a phone will confirm, for the browser that holds ``verifier``.

    Raise ``StoreUnavailable``.
    """
    return _begin(verifier, device, {})


def begin_scan_to_link(
    *, session: LoginSession, verifier: str, device: Device = NOWHERE
) -> ShownScan:
    """
    Begin to link the WeChat account of a phone to the user who is signed in in this browser.

    Raise ``FreshSignInRequired`` or ``StoreUnavailable``.
    """
    require_fresh(session)
    facts = {"owner": session.id.hex, "account": _mask(session.user)}
    return _begin(verifier, device, facts)


def look_at_scan(*, phone: Phone, scan: str) -> ScanRequest:
    """
    Take the scan for this phone, and return which browser asks for what, from where.

    Nobody is signed in or linked by that. Raise ``ScanInvalid``, ``ScanTaken``,
    ``StoreUnavailable``; for a newcomer ``TicketInvalid``, and ``NotRegistered`` when the browser
    asks to be signed in. When it asks for a link, ``IdentityTaken`` if the phone's user is not the
    browser's, and ``InvalidInput`` if no WeChat has signed it in: it has to send a ticket.
    """
    found = scans.find(scan)
    owner = _owner(found)
    if isinstance(phone, Newcomer):
        tickets.look(phone.ticket)
        if owner is None:
            raise NotRegistered(ticket=phone.ticket)
    elif owner is not None and phone.identity_id is None:
        raise InvalidInput(reason="it shows no WeChat: a ticket is missing")
    scans.hold(found, _holder(phone))
    if owner is not None and isinstance(phone, LoginSession) and phone.user_id != owner.user_id:
        scans.take_decision(found, _holder(phone))
        scans.publish(found, State.FAILED)
        raise IdentityTaken(reason="the phone's user is another one than the browser's")
    return ScanRequest(
        browser=found.facts["browser"],
        ip_address=found.facts["ip_address"],
        began_at=datetime.fromtimestamp(found.facts["at"], UTC),
        account=found.facts.get("account"),
    )


def confirm_scan(*, phone: Phone, scan: str, device: Device = NOWHERE) -> None:
    """
    Say yes, with the phone that has looked at the scan; a link is made by that.

    Raise ``ScanInvalid``, or, where there is something to link, what ``bind_wechat`` raises, and
    ``TicketInvalid``: the ticket is used up.
    """
    found = scans.find(scan)
    owner = _owner(found)
    scans.take_decision(found, _holder(phone))
    state = State.FAILED
    try:
        if owner is not None and isinstance(phone, Newcomer):
            _link(owner, phone, device)
        state = State.CONFIRMED
    finally:  # whatever has gone wrong: the screen would wait for it
        scans.publish(found, state)


def refuse_scan(*, phone: Phone, scan: str) -> None:
    """Say no, with the phone that has looked at the scan. Raise ``ScanInvalid``."""
    found = scans.find(scan)
    scans.take_decision(found, _holder(phone))
    scans.publish(found, State.REFUSED)


def read_scan(*, verifier: str, scan: str) -> State:
    """Tell the browser how far its scan is. Raise ``ScanInvalid`` for another's, or an old one."""
    return scans.state_of(scans.find_own(scan, verifier=verifier))


def collect_scan(*, verifier: str, scan: str, device: Device = NOWHERE) -> SignIn:
    """
    Sign the browser in as the user of the phone that has confirmed its scan; once.

    The phone's session must still be open, and its user may come in: raise ``ScanInvalid`` else,
    and for a scan that was to link. The new session is as old as the phone's: a yes proves nothing
    afresh, so whoever has an old token gets no fresh sign-in by it.
    """
    found = scans.find_own(scan, verifier=verifier)
    if "owner" in found.facts:
        raise ScanInvalid(reason="it signs nobody in")
    sid = UUID(scans.collect(found))
    owner = _phone(sid).user

    def step() -> LoginSession:
        # Whoever ends all sessions of the user has done so before we look, or finds ours too.
        WechatIdentity.objects.lock_of(owner)
        user, phone = users.lock(owner), _phone(sid)
        return open_session(
            user or phone.user,
            phone.identity,
            app=conf.app(phone.app or None),
            device=device,
            now=timezone.now(),
            registered=False,
            began_at=phone.created_at,
        )

    session = transactions.run(step)
    return SignIn(
        user=session.user,
        identity=session.identity,
        session=session,
        tokens=tokens.issue(session),
        registered=False,
    )


def _phone(sid: UUID) -> LoginSession:
    phone = open_session_of(sid=sid)
    if phone is None:
        raise ScanInvalid(reason="the phone is signed out by now")
    return phone


def _begin(verifier: str, device: Device, facts: dict[str, Any]) -> ShownScan:
    facts = {
        "browser": device.user_agent[:BROWSER_LENGTH],
        "ip_address": device.ip_address,
        "at": timezone.now().timestamp(),
        **facts,
    }
    return ShownScan(scans.begin(verifier=verifier, facts=facts).text, scans.TTL)


def _owner(found: Scan) -> LoginSession | None:
    """Return the session to which the scan is to link; None when it is to sign in."""
    if "owner" not in found.facts:
        return None
    session = open_session_of(sid=UUID(found.facts["owner"]))
    if session is None:
        raise ScanInvalid(reason="the browser is signed out by now")
    return session


def _holder(phone: Phone) -> str:
    if isinstance(phone, LoginSession):
        return phone.id.hex
    return hashlib.sha256(phone.ticket.encode("utf-8", "surrogatepass")).hexdigest()


def _link(owner: LoginSession, phone: Newcomer, device: Device) -> None:
    person = tickets.look(phone.ticket)
    tickets.use_up(phone.ticket)
    # Without its session_key: that is for a phone's session, and this one is a browser's.
    link(session=owner, person=replace(person, session_key=None), device=device)


def _mask(user: HostUser) -> str:
    """Return enough of the name for its owner to know it, and little for others."""
    name, at, host = str(user.get_username()).partition("@")
    return f"{name[: min(2, len(name) // 2)]}***{at}{host}"
