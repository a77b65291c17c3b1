"""Where WeChat's session_key waits for the phone button: in the cache, encrypted, by ``sid``."""

import logging
from collections.abc import Iterable
from uuid import UUID

from wxauth import sealed_cache
from wxauth.conf import conf
from wxauth.exceptions import StoreUnavailable, WechatSessionStale

logger = logging.getLogger("wxauth.sessions")


def keep(sid: UUID, session_key: str | None) -> None:
    """
    Keep the key of this sign-in. One cache write.

    A cache that is down must not stop anybody from signing in: the key is only missed, later, by
    those who bind a phone by encryptedData, and they are told to sign in again.
    """
    if session_key is None:
        return
    try:
        replace(sid, session_key)
    except StoreUnavailable:
        logger.warning("a session_key could not be kept")


def replace(sid: UUID, session_key: str) -> None:
    """Keep the new key in the place of one that is void. Raise ``StoreUnavailable``."""
    sealed_cache.put(_name(sid), session_key.encode(), ttl=conf.session_key_ttl.total_seconds())


def fetch(sid: UUID) -> str:
    """Return the key of this sign-in, or raise ``WechatSessionStale``: sign in again."""
    kept = sealed_cache.get(_name(sid))
    if kept is None:
        raise WechatSessionStale(reason="no session_key is kept for this sign-in")
    return kept.decode()


def forget(sids: Iterable[UUID]) -> None:
    """Drop the keys of sign-ins that have ended."""
    try:
        for sid in sids:
            sealed_cache.delete(_name(sid))
    except StoreUnavailable:
        logger.warning("a session_key could not be dropped; it ends with its time to live")


def _name(sid: UUID) -> str:
    return f"wxauth:session_key:{sid.hex}"
