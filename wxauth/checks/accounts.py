"""Text messages, referrals, leaving, and the clients of API工厂."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.checks import CheckMessage, register

from wxauth.checks.messages import TAG, error
from wxauth.conf import AppKind, conf
from wxauth.conf.sms import ATTEMPT_LIMITS

REFERRAL_DEPTHS = range(1, 11)
COUNTRY = re.compile(r"[1-9][0-9]{0,2}")  # E.164: one to three digits


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


@register(TAG)
def check_referral_depth(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E030: so many levels are counted as one query can."""
    if type(conf.referral_depth) is int and conf.referral_depth in REFERRAL_DEPTHS:
        return []
    hint = "How many levels of invited people the route referrals counts."
    return [error(30, "WXAUTH_REFERRAL_DEPTH is not a number from 1 to 10.", hint=hint)]


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


def _makes_sender() -> bool:
    sender = conf.sms_backend
    if sender is None:
        return True
    try:
        sender(**conf.sms_options)
    except Exception:  # each sender complains of its options in its own way
        return False
    return True


@register(TAG)
def check_apifactory(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E053, E054: what clients of API工厂 are answered can be answered."""
    found = []
    apps: Any = conf.apifactory_apps
    mini_programs = _mini_programs() if apps else set()
    wrong = (
        [str(sub) for sub, alias in apps.items() if alias not in mini_programs]
        if isinstance(apps, Mapping)
        else ["no dict"]
    )
    if wrong:
        message = f"WXAUTH_APIFACTORY_APPS names no mini program for: {', '.join(wrong)}."
        hint = "A dict of aliases in WXAUTH_APPS, by the sub domain that clients send."
        found.append(error(53, message, hint=hint))
    try:
        add = conf.apifactory_user_detail
        is_wrong = add is not None and not callable(add)
    except ImportError:
        is_wrong = True
    if is_wrong or not isinstance(conf.apifactory_config, Mapping):
        message = "WXAUTH_APIFACTORY_USER_DETAIL or WXAUTH_APIFACTORY_CONFIG cannot be used."
        hint = "The one is the dotted path of a function with the argument user, the other a dict."
        found.append(error(54, message, hint=hint))
    return found


def _mini_programs() -> set[str]:
    try:
        apps = conf.apps
    except Exception:  # any: the function may be the project's. Another check tells.
        return set()
    return {alias for alias, app in apps.items() if app.kind is AppKind.MINI_PROGRAM}
