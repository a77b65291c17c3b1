"""
What ``manage.py check`` says of the settings: one function for one concern, ids that never change.

A function speaks of its own setting, and is silent about those that another one complains about,
however broken they are. No message holds a value that may be secret.
"""

import ipaddress
import math
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth import get_backends
from django.core import checks
from django.core.cache import BaseCache, caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from wxauth.api.throttling import AddressThrottle, PersonThrottle, parse_rate
from wxauth.backends import WechatBackend
from wxauth.conf import ATTEMPT_LIMITS, conf

TAG = "wxauth"
THROTTLE_SCOPES = {AddressThrottle.scope, PersonThrottle.scope}
HMAC_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}  # RFC 7518, 3.2: as long as the hash
REFERRAL_DEPTHS = range(1, 11)
COUNTRY = re.compile(r"[1-9][0-9]{0,2}")  # E.164: one to three digits
INSECURE_PREFIX = "django-insecure-"  # how startproject marks the SECRET_KEY it makes up
APPS_HINT = (
    "Set WXAUTH_APP_ID and WXAUTH_APP_SECRET to those of your mini program "
    "(mp.weixin.qq.com, 开发管理), or for several apps WXAUTH_APPS = "
    '{"alias": {"kind": "mini_program", "app_id": "wx…", "app_secret": "…"}}.'
)


def error(number: int, message: str, *, hint: str) -> CheckMessage:
    return checks.Error(message, hint=hint, id=f"wxauth.E{number:03}")


def warning(number: int, message: str, *, hint: str) -> CheckMessage:
    return checks.Warning(message, hint=hint, id=f"wxauth.W{number:03}")


@register(TAG)
def check_apps_path(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E003: ``WXAUTH_APPS`` as a dotted path leads to a function."""
    try:
        load = conf.apps_loader
        if load is None or callable(load):
            return []
    except ImportError:
        pass
    hint = "Give a dict, or the dotted path of a function that returns one."
    return [error(3, "WXAUTH_APPS names something that cannot be imported or called.", hint=hint)]


@register(TAG)
def check_apps(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E001, E002, E004, W006: there are apps, each is complete, and each is another one."""
    if check_apps_path(app_configs):
        return []
    try:
        apps = conf.apps
    except ImproperlyConfigured as broken:
        return [error(2, str(broken), hint=APPS_HINT)]
    except Exception as broken:  # the project's function may ask a database that is not there yet
        message = f"The function that WXAUTH_APPS names raised {type(broken).__name__}."
        hint = "While it does, nobody can sign in. Before the first migration that is fine."
        return [warning(6, message, hint=hint)]
    if not apps:
        return [error(1, "No WeChat app is configured.", hint=APPS_HINT)]
    aliases: dict[str, list[str]] = {}
    for app in apps.values():
        aliases.setdefault(app.app_id, []).append(app.alias)
    hint = "Each app_id stands in one entry of WXAUTH_APPS."
    return [
        error(4, f"The apps {', '.join(map(repr, same))} have the same app_id.", hint=hint)
        for same in aliases.values()
        if len(same) > 1
    ]


@register(TAG)
def check_base_url(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E005, E006, W002: the app secret travels encrypted, and to WeChat."""
    try:
        url = urlsplit(conf.api_base_url)
        host, _port = url.hostname, url.port  # ValueError: the port is no number
    except ValueError:
        host = None
    if not host or url.scheme not in ("http", "https"):
        hint = "Leave it out for WeChat itself: https://api.weixin.qq.com."
        return [error(5, "WXAUTH_API_BASE_URL is not the address of a server.", hint=hint)]
    if url.scheme == "https" or conf.debug:
        return []
    if _is_loopback(host):
        message = "WXAUTH_API_BASE_URL leads to this machine, without https, and DEBUG is off."
        hint = "A simulator lets in anybody as anybody. Leave the setting out for WeChat itself."
        return [warning(2, message, hint=hint)]
    message = f"WXAUTH_API_BASE_URL sends app secrets to {host} without encryption."
    return [error(6, message, hint="Use https.")]


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


@register(TAG)
def check_backend(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """W001: Django's ``authenticate()`` knows WeChat."""
    try:
        backends = get_backends()
    except ImproperlyConfigured:  # there are none
        backends = []
    except ImportError:  # one of the others is missing, and Django itself will say so
        return []
    if any(isinstance(backend, WechatBackend) for backend in backends):
        return []
    hint = 'Add "wxauth.backends.WechatBackend", or your subclass of it.'
    return [warning(1, "AUTHENTICATION_BACKENDS has no WeChat backend.", hint=hint)]


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
def check_throttle_rates(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E009: the rate limits can be read."""
    try:
        rates = conf.throttle_rates
    except (TypeError, ValueError):
        rates = {"WXAUTH_THROTTLE_RATES": None}
    wrong = [
        str(scope)
        for scope, rate in rates.items()
        if scope not in THROTTLE_SCOPES or not _is_rate(rate)
    ]
    hint = 'A dict with "address" and "person", each with a rate such as "60/min", or None.'
    message = f"WXAUTH_THROTTLE_RATES cannot be read: {', '.join(wrong)}."
    return [error(9, message, hint=hint)] if wrong else []


@register(TAG)
def check_create_user(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E010: there is a function that makes users."""
    try:
        if callable(conf.create_user):
            return []
    except (ImportError, AttributeError):
        pass
    message = "WXAUTH_CREATE_USER names something that cannot be imported or called."
    hint = "It is the dotted path of a function that takes app=… and returns a saved user."
    return [error(10, message, hint=hint)]


@register(TAG)
def check_durations(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E011: what lasts, lasts for some time."""
    durations: dict[str, Any] = {
        "WXAUTH_SESSION_KEY_TTL": conf.session_key_ttl,
        "WXAUTH_REFRESH_GRACE": conf.refresh_grace,
    }
    try:
        durations["SIMPLE_JWT['ACCESS_TOKEN_LIFETIME']"] = conf.tokens.access_lifetime
        durations["SIMPLE_JWT['REFRESH_TOKEN_LIFETIME']"] = conf.tokens.refresh_lifetime
    except (AttributeError, TypeError):
        return [error(11, "SIMPLE_JWT cannot be read.", hint="It is a dict; see simplejwt.")]
    hint = "Write it as timedelta(seconds=…), of Python's datetime."
    return [
        error(11, f"{name} is not a timedelta of more than 0.", hint=hint)
        for name, duration in durations.items()
        if not isinstance(duration, timedelta) or duration <= timedelta(0)
    ]


@register(TAG)
def check_timeouts(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E012: nobody waits for WeChat for ever, nor not at all."""
    try:
        if all(0 < seconds < math.inf for seconds in conf.timeouts):
            return []
    except (TypeError, ValueError):
        pass
    hint = "They are the seconds to connect to WeChat, and to wait for its answer: (3, 5)."
    return [error(12, "WXAUTH_TIMEOUTS is not two numbers of more than 0.", hint=hint)]


@register(TAG)
def check_encryption_keys(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E013: the cache is encrypted with whole keys, not with the letters of one."""
    keys: Any = conf.encryption_secrets
    if isinstance(keys, list | tuple) and all(isinstance(key, str) and key for key in keys):
        return []
    hint = "Put even a single key into a list, or leave the setting out."
    return [error(13, "WXAUTH_ENCRYPTION_KEYS is not a list of texts.", hint=hint)]


@register(TAG)
def check_deletion_delay(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E051: whoever asks to be forgotten, will be."""
    delay: Any = conf.deletion_delay
    if isinstance(delay, timedelta) and delay >= timedelta(0):
        return []
    hint = "Write it as timedelta(days=…); timedelta(0) lets the next run of the command delete."
    return [error(51, "WXAUTH_DELETION_DELAY is not a timedelta of 0 or more.", hint=hint)]


@register(TAG)
def check_erase_user(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E052: there is a function that erases users."""
    try:
        if callable(conf.erase_user):
            return []
    except (ImportError, AttributeError):
        pass
    message = "WXAUTH_ERASE_USER names something that cannot be imported or called."
    hint = "wxauth.erasure.anonymise, wxauth.erasure.erase, or a function that takes a user."
    return [error(52, message, hint=hint)]


@register(TAG)
def check_referral_depth(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E030: so many levels are counted as one query can."""
    if type(conf.referral_depth) is int and conf.referral_depth in REFERRAL_DEPTHS:
        return []
    hint = "How many levels of invited people the route referrals counts."
    return [error(30, "WXAUTH_REFERRAL_DEPTH is not a number from 1 to 10.", hint=hint)]


@register(TAG)
def check_sms_backend(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E014, E015: codes go to the phones they are for, and nowhere else."""
    try:
        sender = conf.sms_backend
    except (ImportError, AttributeError):
        hint = (
            "It is the dotted path of a class, such as wxauth.sms.aliyun.AliyunSender, which "
            "needs the extra wxauth[aliyun]; without the setting no messages are sent."
        )
        return [error(14, "WXAUTH_SMS_BACKEND names something that cannot be imported.", hint=hint)]
    if getattr(sender, "for_development", False) and not conf.debug:
        message = "WXAUTH_SMS_BACKEND sends no text messages, and DEBUG is off."
        hint = "Who reads its output can sign in as anybody with a phone number. Leave it out."
        return [error(15, message, hint=hint)]
    return []


@register(TAG)
def check_sms_options(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E016, E017, E018: the sender can be made, for some country, within limits."""
    found = []
    countries: Any = conf.sms_countries
    if (
        not isinstance(countries, list | tuple)
        or not countries
        or not all(isinstance(code, str) and COUNTRY.fullmatch(code) for code in countries)
    ):
        hint = 'Calling codes as texts, without the plus: ["86", "852"].'
        found.append(error(16, "WXAUTH_SMS_COUNTRIES is not a list of calling codes.", hint=hint))
    try:
        limits: Any = conf.attempt_limits
    except (TypeError, ValueError):
        limits = {"WXAUTH_ATTEMPT_LIMITS": 0}
    wrong = [
        str(scope)
        for scope, limit in limits.items()
        if scope not in ATTEMPT_LIMITS or not (limit is None or (type(limit) is int and limit > 0))
    ]
    if wrong:
        hint = f"A dict with {', '.join(ATTEMPT_LIMITS)}; each a number, or None for no limit."
        message = f"WXAUTH_ATTEMPT_LIMITS cannot be read: {', '.join(wrong)}."
        found.append(error(17, message, hint=hint))
    if not check_sms_backend(app_configs) and not _makes_sender():
        hint = "See the class for its keyword arguments. Their values are not shown here."
        message = "WXAUTH_SMS_OPTIONS does not fit the class that WXAUTH_SMS_BACKEND names."
        found.append(error(18, message, hint=hint))
    return found


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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _find_cache() -> BaseCache | None:
    try:
        return caches[conf.cache]
    except Exception:  # each backend complains about its options in its own way
        return None


def _makes_sender() -> bool:
    sender = conf.sms_backend
    if sender is None:
        return True
    try:
        sender(**conf.sms_options)
    except Exception:  # each sender complains of its options in its own way
        return False
    return True


def _is_rate(rate: Any) -> bool:
    try:
        return rate is None or parse_rate(rate)[0] > 0
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False
