"""The settings of text messages and of passwords."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

SMS_CONSOLE = "wxauth.sms.console.ConsoleSender"
ATTEMPT_LIMITS = {
    "sms_number": 10,
    "sms_address": 200,
    "sms_device": 20,
    "password_number": 20,
    "password_address": 200,
}


class SmsSettings:
    """Who sends text messages, where to, and how many."""

    @property
    def sms_backend(self) -> Callable[..., Any] | None:
        """
        ``WXAUTH_SMS_BACKEND``: dotted path of the class that sends text messages.

        Without it the console serves while ``DEBUG`` is on, and nobody in production: None.
        """
        path = getattr(settings, "WXAUTH_SMS_BACKEND", None)
        if path is None and settings.DEBUG:
            path = SMS_CONSOLE
        return import_string(path) if path else None

    @property
    def sms_options(self) -> dict[str, Any]:
        """``WXAUTH_SMS_OPTIONS``: the keyword arguments of that class; may hold secrets."""
        return getattr(settings, "WXAUTH_SMS_OPTIONS", {})

    @property
    def sms_countries(self) -> list[str]:
        """
        ``WXAUTH_SMS_COUNTRIES``: calling codes to which messages go.

        The first is the country of numbers that are typed without one.
        """
        return getattr(settings, "WXAUTH_SMS_COUNTRIES", ["86"])

    @property
    def attempt_limits(self) -> dict[str, int | None]:
        """``WXAUTH_ATTEMPT_LIMITS``: messages per day and password attempts per hour, or None."""
        return {**ATTEMPT_LIMITS, **getattr(settings, "WXAUTH_ATTEMPT_LIMITS", {})}
