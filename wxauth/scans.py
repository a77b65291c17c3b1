"""
Codes on a screen that a phone scans: who shows it, who has scanned it, what they say.

All of it lies in the shared cache. A code is good for two minutes, and each mark that is made on it
stays for as long, so that none ends before the code does. Each step is taken by one caller only,
whatever happens at the same moment: by the one whose mark in the cache is the first.
"""

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from wxauth import sealed_cache
from wxauth.exceptions import ScanInvalid, ScanTaken

TTL = 120  # seconds
BYTES = 15  # 120 bits; the scene of a mini program's code has room for 32 characters


class State(StrEnum):
    """How far a scan is."""

    WAITING = "waiting"
    SCANNED = "scanned"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    FAILED = "failed"  # confirmed, and what was asked for could not be done


@dataclass(frozen=True, slots=True)
class Scan:
    """A code that is good at this moment. ``facts`` are what its browser told of itself."""

    text: str = field(repr=False)
    ends_at: float  # Unix seconds
    facts: dict[str, Any] = field(repr=False)
    verifier_digest: str = field(repr=False)


def begin(*, verifier: str, facts: dict[str, Any]) -> Scan:
    """Return a new scan of the browser that holds ``verifier``. Raise ``StoreUnavailable``."""
    text, ends_at = secrets.token_hex(BYTES), time.time() + TTL
    scan = Scan(text, ends_at, facts, _digest(verifier))
    kept = json.dumps([scan.ends_at, scan.facts, scan.verifier_digest])
    sealed_cache.put(_name(text), kept.encode(), ttl=TTL)
    return scan


def find(text: str) -> Scan:
    """Return the scan; raise ``ScanInvalid`` or ``StoreUnavailable``."""
    kept = sealed_cache.get(_name(text))
    ends_at, facts, digest = json.loads(kept) if kept is not None else (0, {}, "")
    if ends_at <= time.time():
        raise ScanInvalid(reason="unknown or expired")
    return Scan(text, ends_at, facts, digest)


def find_own(text: str, *, verifier: str) -> Scan:
    """Return the scan of this browser; raise ``ScanInvalid`` for anybody else's."""
    scan = find(text)
    if not hmac.compare_digest(scan.verifier_digest, _digest(verifier)):
        raise ScanInvalid(reason="shown by another browser")
    return scan


def hold(scan: Scan, holder: str) -> None:
    """Note who has scanned it. All others get ``ScanTaken`` from now on."""
    is_first = sealed_cache.put_first(_part(scan, "holder"), holder.encode(), ttl=TTL)
    if not is_first and holder_of(scan) != holder:
        raise ScanTaken(reason="scanned by another phone")


def holder_of(scan: Scan) -> str | None:
    """Return who has scanned it, or None."""
    kept = sealed_cache.get(_part(scan, "holder"))
    return None if kept is None else kept.decode()


def take_decision(scan: Scan, holder: str) -> None:
    """Let the one who has scanned it decide, once; ``ScanInvalid`` for others, and afterwards."""
    if holder_of(scan) != holder:
        raise ScanInvalid(reason="not scanned by this phone")
    if not _first(scan, "decided"):
        raise ScanInvalid(reason="decided already")


def publish(scan: Scan, state: State) -> None:
    """Note what has been decided, for the screen."""
    sealed_cache.put(_part(scan, "decision"), state.encode(), ttl=TTL)


def state_of(scan: Scan) -> State:
    """Return how far it is."""
    return _progress(scan)[0]


def collect(scan: Scan) -> str:
    """Use a scan that is confirmed, and return its holder; once. Raise ``ScanInvalid``."""
    state, holder = _progress(scan)
    if holder is None or state is not State.CONFIRMED:
        raise ScanInvalid(reason="not confirmed")
    if not _first(scan, "collected"):
        raise ScanInvalid(reason="used")
    return holder


def _progress(scan: Scan) -> tuple[State, str | None]:
    """Return how far it is, and who has scanned it. One call of the cache."""
    decision, holder = sealed_cache.get_all([_part(scan, "decision"), _part(scan, "holder")])
    if holder is None:
        return State.WAITING, None
    return State.SCANNED if decision is None else State(decision.decode()), holder.decode()


def _first(scan: Scan, step: str) -> bool:
    return sealed_cache.first_use(_part(scan, step), ttl=TTL)


def _part(scan: Scan, what: str) -> str:
    return f"{_name(scan.text)}:{what}"


def _name(text: str) -> str:
    return f"wxauth:scan:{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
