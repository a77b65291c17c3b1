"""
Short-lived secrets in the shared cache: encrypted, and each bound to the name it stands under.

The cache is Django's (``WXAUTH_CACHE``). Losing it must cost a repeated sign-in at the most, so
a cache that does not answer is one error, ``StoreUnavailable``, which callers may live with.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.cache import BaseCache, caches
from django.views.decorators.debug import sensitive_variables

from wxauth import sealing
from wxauth.conf import conf
from wxauth.exceptions import StoreUnavailable

logger = logging.getLogger("wxauth.cache")


@contextmanager
def open_cache() -> Iterator[BaseCache]:
    """Give the cache; turn whatever its client library raises into ``StoreUnavailable``."""
    cache = caches[conf.cache]  # outside: an alias that is not in CACHES is no outage
    try:
        yield cache
    except (ValueError, TypeError, KeyError, AttributeError):
        raise  # a mistake in the project or in us, not an outage
    except Exception as error:  # Redis, memcached and files each have a tree of their own
        logger.warning("cache %s does not answer: %s", conf.cache, type(error).__name__)
        # from None: what the library says may hold the address of the cache and its password.
        raise StoreUnavailable(reason=f"cache does not answer: {type(error).__name__}") from None


@sensitive_variables("secret")
def put(name: str, secret: bytes, *, ttl: float) -> None:
    """Keep ``secret`` under ``name`` for ``ttl`` seconds."""
    with open_cache() as cache:
        cache.set(name, sealing.seal(secret, name=name), timeout=ttl)


@sensitive_variables("secret")
def put_first(name: str, secret: bytes, *, ttl: float) -> bool:
    """Do what ``put`` does, unless something is kept there. Of many at once, one is told True."""
    with open_cache() as cache:
        return bool(cache.add(name, sealing.seal(secret, name=name), timeout=ttl))


def get(name: str) -> bytes | None:
    """Return what is kept under ``name``; None when it is gone, or no key of ours opens it."""
    with open_cache() as cache:
        return _open(name, cache.get(name))


def get_all(names: Sequence[str]) -> list[bytes | None]:
    """Do what ``get`` does for each of them, in one call of the cache."""
    with open_cache() as cache:
        found = cache.get_many(names)
        return [_open(name, found.get(name)) for name in names]


def delete(name: str) -> bool:
    """Forget what is kept under ``name``. Of many callers at once, one is told True."""
    with open_cache() as cache:
        return bool(cache.delete(name))


def first_use(name: str, *, ttl: float) -> bool:
    """Tell whether nobody has asked for ``name`` in the last ``ttl`` seconds; exactly one wins."""
    with open_cache() as cache:
        return bool(cache.add(name, 1, timeout=ttl))


def _open(name: str, sealed: Any) -> bytes | None:
    if not isinstance(sealed, bytes):
        return None
    return sealing.unseal(sealed, name=name)
