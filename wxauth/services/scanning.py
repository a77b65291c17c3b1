"""Signing in on a computer with the phone that is signed in already."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from django.utils import timezone

from wxauth import scans, tokens, transactions
from wxauth.conf import conf
from wxauth.devices import NOWHERE, Device
from wxauth.exceptions import ScanInvalid
from wxauth.models import LoginSession
from wxauth.scans import State
from wxauth.services.sessions import open_session_of
from wxauth.services.sign_in import SignIn, open_session

BROWSER_LENGTH = 160  # characters of what a browser calls itself


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """What the person with the phone has to know before they say yes."""

    browser: str
    ip_address: str | None
    began_at: datetime


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
    facts = {
        "browser": device.user_agent[:BROWSER_LENGTH],
        "ip_address": device.ip_address,
        "at": timezone.now().timestamp(),
    }
    return ShownScan(scans.begin(verifier=verifier, facts=facts).text, scans.TTL)


def look_at_scan(*, session: LoginSession, scan: str) -> ScanRequest:
    """
    Take the scan for the phone with this session, and return which browser asks, from where.

    Nobody is signed in by that. Raise ``ScanInvalid``, ``ScanTaken``, ``StoreUnavailable``.
    """
    found = scans.find(scan)
    scans.hold(found, session.id.hex)
    return ScanRequest(
        browser=found.facts["browser"],
        ip_address=found.facts["ip_address"],
        began_at=datetime.fromtimestamp(found.facts["at"], UTC),
    )


def confirm_scan(*, session: LoginSession, scan: str) -> None:
    """Say yes, with the phone that has looked at the scan. Raise ``ScanInvalid``."""
    scans.decide(scans.find(scan), session.id.hex, State.CONFIRMED)


def refuse_scan(*, session: LoginSession, scan: str) -> None:
    """Say no, with the phone that has looked at the scan. Raise ``ScanInvalid``."""
    scans.decide(scans.find(scan), session.id.hex, State.REFUSED)


def read_scan(*, verifier: str, scan: str) -> State:
    """Tell the browser how far its scan is. Raise ``ScanInvalid`` for another's, or an old one."""
    return scans.state_of(scans.find_own(scan, verifier=verifier))


def collect_scan(*, verifier: str, scan: str, device: Device = NOWHERE) -> SignIn:
    """
    Sign the browser in as the user of the phone that has confirmed its scan; once.

    The phone's session must still be open, and its user may come in: raise ``ScanInvalid`` else.
    """
    holder = scans.collect(scans.find_own(scan, verifier=verifier))
    phone = open_session_of(sid=UUID(holder))
    if phone is None:
        raise ScanInvalid(reason="the phone is signed out by now")
    app = conf.app(phone.app or None)
    now = timezone.now()
    session = transactions.run(
        lambda: open_session(
            phone.user, phone.identity, app=app, device=device, now=now, registered=False
        )
    )
    return SignIn(
        user=session.user,
        identity=session.identity,
        session=session,
        tokens=tokens.issue(session),
        registered=False,
    )
