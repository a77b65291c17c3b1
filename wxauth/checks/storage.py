"""Where things are kept: cache, database, keys."""

from typing import Any

from django.core.cache import BaseCache, caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Tags, register
from django.db import connections

from wxauth.checks.messages import TAG, error, warning
from wxauth.conf import conf

HMAC_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}  # RFC 7518, 3.2: as long as the hash
INSECURE_PREFIX = "django-insecure-"  # how startproject marks the SECRET_KEY it makes up


@register(TAG)
def check_cache(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E007, E008, W003: what is short-lived is kept where all processes find it."""
    cache = _find_cache()
    if cache is None:
        hint = "It is an alias in CACHES."
        return [error(7, "WXAUTH_CACHE does not name a cache that can be made.", hint=hint)]
    if isinstance(cache, DummyCache):
        hint = (
            "Tickets, session_keys, rate limits and the memory of used data need one that does, "
            "such as django-redis; local memory will do for one process."
        )
        return [error(8, "The cache of WXAUTH_CACHE keeps nothing.", hint=hint)]
    if isinstance(cache, LocMemCache) and not conf.debug:
        message = "The cache of WXAUTH_CACHE belongs to one process, and DEBUG is off."
        hint = (
            "With several workers use one that they share, such as django-redis: else tickets and "
            "session_keys get lost, rate limits count wrong, and data that one worker has used up "
            "is taken again by another."
        )
        return [warning(3, message, hint=hint)]
    return []


@register(Tags.database)
def check_charset(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """W007: MySQL takes nicknames with emoji. Runs with ``migrate`` and ``check --database``."""
    hint = "Leave 'charset' out of OPTIONS: nicknames have emoji, which utf8 cannot hold."
    return [
        warning(7, f"The connection to the database {alias!r} does not use utf8mb4.", hint=hint)
        for alias in kwargs.get("databases") or []
        if connections[alias].vendor == "mysql"
        and connections[alias].settings_dict["OPTIONS"].get("charset", "utf8mb4") != "utf8mb4"
    ]


@register(TAG)
def check_signing_key(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """W004, W005: nobody can guess the key that signs tokens."""
    try:
        tokens = conf.tokens
        key, needed = str(tokens.signing_key or ""), HMAC_BYTES.get(tokens.algorithm, 0)
    except (AttributeError, TypeError):  # E011
        return []
    hint = (
        "Whoever knows it can be anybody. Set SIMPLE_JWT['SIGNING_KEY'], or else SECRET_KEY, to a "
        "long random text."
    )
    found = []
    if len(key.encode()) < needed:
        message = f"The key that signs tokens is shorter than {needed} bytes."
        found.append(warning(4, message, hint=hint))
    if needed and key.startswith(INSECURE_PREFIX) and not conf.debug:
        message = "Tokens are signed with the key that startproject made up, and DEBUG is off."
        found.append(warning(5, message, hint=hint))
    return found


@register(TAG)
def check_encryption_keys(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E013: the cache is encrypted with whole keys, not with the letters of one."""
    keys: Any = conf.encryption_secrets
    if isinstance(keys, list | tuple) and all(isinstance(key, str) and key for key in keys):
        return []
    hint = "Put even a single key into a list, or leave the setting out."
    return [error(13, "WXAUTH_ENCRYPTION_KEYS is not a list of texts.", hint=hint)]


def _find_cache() -> BaseCache | None:
    try:
        return caches[conf.cache]
    except Exception:  # each backend complains about its options in its own way
        return None
