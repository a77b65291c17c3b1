"""Who comes in, how often, and for how long."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_backends
from django.core.checks import CheckMessage, register
from django.core.exceptions import ImproperlyConfigured

from wxauth.backends import WechatBackend
from wxauth.checks.messages import TAG, error, warning
from wxauth.conf import conf
from wxauth.rest.throttling import AddressThrottle, PersonThrottle, parse_rate

THROTTLE_SCOPES = {AddressThrottle.scope, PersonThrottle.scope}


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
def check_durations(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E011: what lasts, lasts for some time."""
    durations: dict[str, Any] = {
        "WXAUTH_SESSION_KEY_TTL": conf.session_key_ttl,
        "WXAUTH_REFRESH_GRACE": conf.refresh_grace,
        "WXAUTH_APIFACTORY_TOKEN_LIFETIME": conf.apifactory_token_lifetime,
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


def _is_rate(rate: Any) -> bool:
    try:
        return rate is None or parse_rate(rate)[0] > 0
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False
