"""
States: what goes with a browser to WeChat and has to come back with it.

Each is of one browser or client, which proves itself by a verifier, of one app and one flow; used
once, within ten minutes. What came of it is remembered, since callbacks come twice.
"""

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from wxauth import sealed_cache
from wxauth.exceptions import StateInvalid

TTL = 600  # seconds
PATIENCE = 60  # seconds; longer than any server lets a request take
BYTES = 20  # 160 bits; WeChat takes letters and digits only


@dataclass(frozen=True, slots=True)
class Pending:
    """A state that has come back to who began it; ``facts`` are what was kept with it."""

    state: str = field(repr=False)
    facts: dict[str, Any] = field(repr=False)


def issue(*, verifier: str, app: str, flow: str, facts: dict[str, Any] | None = None) -> str:
    """Return a new state, bound to the verifier. Raise ``StoreUnavailable``."""
    state = secrets.token_hex(BYTES)
    kept = [_digest(verifier), app, flow, facts or {}]
    sealed_cache.put(_name(state), json.dumps(kept).encode(), ttl=TTL)
    return state


def look(state: str, *, verifier: str, app: str, flow: str) -> Pending:
    """Return what is pending, which stays so; raise ``StateInvalid`` or ``StoreUnavailable``."""
    kept = sealed_cache.get(_name(state))
    if kept is None:
        raise StateInvalid(reason="unknown or expired")
    digest, its_app, its_flow, facts = json.loads(kept)
    if not hmac.compare_digest(digest, _digest(verifier)):
        raise StateInvalid(reason="begun by another browser")
    if (its_app, its_flow) != (app, flow):
        raise StateInvalid(reason="begun for another app or flow")
    return Pending(state=state, facts=facts)


def claim(pending: Pending) -> bool:
    """Use the state. Of many callers at once, and of all later ones, one is told True."""
    return sealed_cache.put_first(_used(pending), str(int(time.time())).encode(), ttl=TTL)


def finish(pending: Pending, outcome: dict[str, Any]) -> None:
    """Remember what came of it, for the callback that comes once more."""
    sealed_cache.put(_outcome(pending), json.dumps(outcome).encode(), ttl=TTL)


def outcome(pending: Pending) -> dict[str, Any] | None:
    """
    Return what came of it; None while that is not known yet.

    After a minute it never will be: the process was killed, or the cache did not answer.
    """
    kept, since = sealed_cache.get_all([_outcome(pending), _used(pending)])
    if kept is not None:
        return json.loads(kept)
    is_late = since is not None and abs(time.time() - int(since)) > PATIENCE
    return {} if is_late else None


def _used(pending: Pending) -> str:
    return f"{_name(pending.state)}:used"


def _outcome(pending: Pending) -> str:
    return f"{_name(pending.state)}:outcome"


def _name(state: str) -> str:
    return f"wxauth:state:{_digest(state)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
