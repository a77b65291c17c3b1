"""
The app's access_token: one for all processes, fetched by one of them at a time.

From ``POST /cgi-bin/stable_token`` in its normal mode, which hands everybody the same token until
its last 5 minutes. So the lock here saves calls, and its loss does no harm: whoever cannot get it,
or finds the cache down, fetches for himself and still holds the right token.
"""

import json
import logging
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from wxauth import sealed_cache
from wxauth.conf import WechatApp, conf
from wxauth.exceptions import StoreUnavailable, WechatError, WechatUnavailable
from wxauth.wechat.errcodes import BUSY, STABLE_TOKEN
from wxauth.wechat.exchange import ask
from wxauth.wechat.types import AccessToken, Call

logger = logging.getLogger("wxauth.wechat")

EARLY = 300  # seconds; in its last 5 minutes WeChat replaces the token, and the old one still works
SHORTEST = 60  # seconds a token is kept at the least
LONGEST = 7200  # seconds; WeChat promises no more
FORCE_EVERY = 600  # seconds; WeChat forces 20 times a day, and each time kills the token in use
POLL = 0.05  # seconds between two looks of one who waits for another's token
MARGIN = 5.0  # seconds by which the lock outlives the slowest fetch

_TOKEN = re.compile(r"[!-~]{1,2048}")  # WeChat asks to reserve 512


def get(app: WechatApp) -> AccessToken:
    """Return the app's token. Raise the ``WechatError`` of a fetch that fails."""
    return _obtain(app, failed=None)


def renew(app: WechatApp, *, failed: AccessToken) -> AccessToken:
    """
    Return a token other than ``failed``, which WeChat has refused.

    Raise ``WechatUnavailable`` when WeChat insists on ``failed`` and may not be forced again yet,
    and the ``WechatError`` of a fetch that fails.
    """
    return _obtain(app, failed=failed)


def _obtain(app: WechatApp, *, failed: AccessToken | None) -> AccessToken:
    """Take the token from the cache, fetch it under the lock, or wait for who is fetching it."""
    give_up = time.monotonic() + sum(conf.timeouts)
    try:
        while True:
            token = _cached(app)
            if token and not _same(token, failed):
                return token
            with _lock(app) as locked:
                if locked:
                    return _fetch_locked(app, failed=failed)
            if time.monotonic() > give_up:
                break
            time.sleep(POLL)
    except StoreUnavailable:
        pass  # sealed_cache has logged it
    return _fetch_unlocked(app, failed=failed)


def _fetch_locked(app: WechatApp, *, failed: AccessToken | None) -> AccessToken:
    """Fetch for everybody; if WeChat hands back ``failed``, force it to make another one."""
    # Between our look and our lock another may have fetched, and be done.
    token = _cached(app)
    if token and not _same(token, failed):
        return token
    if token:
        _drop(app)
    token = _fetch(app, force=False)
    if _same(token, failed):
        if not _may_force(app):
            raise _stuck()
        logger.warning("app %s: WeChat refuses its own access_token, forcing a new one", app.alias)
        token = _fetch(app, force=True)
    if _same(token, failed):
        raise _stuck()
    _keep(app, token)
    return token


def _fetch_unlocked(app: WechatApp, *, failed: AccessToken | None) -> AccessToken:
    """Fetch for oneself: the cache is down, or who holds the lock takes too long or has died."""
    token = _fetch(app, force=False)
    if _same(token, failed):
        raise _stuck()
    _keep(app, token)
    return token


def _fetch(app: WechatApp, *, force: bool) -> AccessToken:
    answer = ask(
        Call(
            STABLE_TOKEN,
            body={
                "grant_type": "client_credential",
                "appid": app.app_id,
                "secret": app.app_secret,
                "force_refresh": force,
            },
            repeatable=not force,
        )
    )
    value = answer.get("access_token")
    try:
        lasts = min(int(answer.get("expires_in")), LONGEST)
    except (TypeError, ValueError, OverflowError):
        lasts = 0
    if not isinstance(value, str) or not _TOKEN.fullmatch(value) or lasts <= 0:
        logger.warning("%s answers a senseless token", STABLE_TOKEN)
        raise WechatError(reason=f"{STABLE_TOKEN} answers a senseless token")
    return AccessToken(value=value, expires_at=time.time() + lasts)


def _same(token: AccessToken, other: AccessToken | None) -> bool:
    return other is not None and token.value == other.value


def _stuck() -> WechatError:
    return WechatUnavailable(
        reason="WeChat refuses its own access_token and hands out no other", retry_after=BUSY
    )


def _name(app: WechatApp) -> str:
    return f"wxauth:access_token:{app.app_id}"


def _cached(app: WechatApp) -> AccessToken | None:
    kept = sealed_cache.get(_name(app))
    if kept is None:
        return None
    value, expires_at = json.loads(kept)
    return AccessToken(value=value, expires_at=expires_at)


def _keep(app: WechatApp, token: AccessToken) -> None:
    """Put the token into the cache unless a newer one is there, or the cache is down."""
    with suppress(StoreUnavailable):
        kept = _cached(app)
        if kept and kept.expires_at > token.expires_at:
            return
        ttl = max(token.expires_at - time.time() - EARLY, SHORTEST)
        sealed_cache.put(_name(app), json.dumps([token.value, token.expires_at]).encode(), ttl=ttl)


def _drop(app: WechatApp) -> None:
    """Forget the token that has failed, so that others wait for the new one."""
    with suppress(StoreUnavailable):
        sealed_cache.delete(_name(app))


def _may_force(app: WechatApp) -> bool:
    """Tell whether nobody has forced this app's token lately; no, if that cannot be known."""
    with suppress(StoreUnavailable):
        return sealed_cache.first_use(f"{_name(app)}:forced", ttl=FORCE_EVERY)
    return False


@contextmanager
def _lock(app: WechatApp) -> Iterator[bool]:
    """
    Give whether this caller alone, among all processes, may fetch; release it at the end.

    Django's caches cannot delete "only if it is mine" in one step. So the lock is left to lapse
    when its time is nearly over, and else deleted after a look at its owner. A process that is
    frozen between the look and the deletion could still delete another's lock; two would fetch
    then, and get the same token.
    """
    name, owner = f"{_name(app)}:lock", secrets.token_hex(16)
    connect, read = conf.timeouts
    # Two requests (see ask), each of which may connect twice.
    lasts = 2 * (2 * connect + read) + MARGIN
    taken_at = time.monotonic()
    with sealed_cache.open_cache() as cache:
        locked = cache.add(name, owner, timeout=lasts)
    try:
        yield locked
    finally:
        if locked and time.monotonic() - taken_at < lasts - 1:
            with suppress(StoreUnavailable), sealed_cache.open_cache() as cache:
                if cache.get(name) == owner:
                    cache.delete(name)
