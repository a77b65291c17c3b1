"""
The settings, read live, and the one place that reads ``django.conf.settings``.

Every setting of ours is a typed property of ``conf``; the documentation's table has them all.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeAlias

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from wxauth.exceptions import UnknownApp

API_BASE_URL = "https://api.weixin.qq.com"
DEFAULT_ALIAS = "default"
DEFAULT_SCOPE = "default"
SMS_CONSOLE = "wxauth.sms.console.ConsoleSender"
ATTEMPT_LIMITS = {
    "sms_number": 10,
    "sms_address": 200,
    "sms_device": 20,
    "password_number": 20,
    "password_address": 200,
}

APP_KEYS = {"kind", "app_id", "app_secret", "union_scope", "push_token", "push_aes_key"}
AES_KEY = re.compile(r"[A-Za-z0-9]{43}")  # what WeChat calls EncodingAESKey

# A row of AUTH_USER_MODEL. Its class is the host project's choice, so no type says more.
HostUser: TypeAlias = Any


class AppKind(StrEnum):
    """What an app is to WeChat, and so which of its APIs it may call."""

    MINI_PROGRAM = "mini_program"
    OFFICIAL_ACCOUNT = "official_account"
    WEBSITE = "website"
    MOBILE = "mobile"


@dataclass(frozen=True, slots=True)
class WechatApp:
    """One registered app: the alias that clients name, and what WeChat knows it by."""

    alias: str
    kind: AppKind
    app_id: str
    app_secret: str = field(repr=False)
    union_scope: str = DEFAULT_SCOPE
    push_token: str = field(default="", repr=False)
    push_aes_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """How our JWTs are made: the parts of ``SIMPLE_JWT`` that we honour."""

    access_lifetime: timedelta
    refresh_lifetime: timedelta
    algorithm: str
    signing_key: str = field(repr=False)
    verifying_key: str = field(repr=False)
    issuer: str
    audience: str | tuple[str, ...]
    leeway: float | timedelta


def build_app(alias: str, entry: Mapping[str, Any]) -> WechatApp:
    """Return the app of one entry of ``WXAUTH_APPS``, or raise ``ImproperlyConfigured``."""
    if not isinstance(entry, Mapping):
        raise ImproperlyConfigured(f"WXAUTH_APPS[{alias!r}] is not a dict.")
    unknown = set(entry) - APP_KEYS
    if unknown:
        raise ImproperlyConfigured(
            f"WXAUTH_APPS[{alias!r}] has unknown keys: {', '.join(sorted(map(str, unknown)))}."
        )
    try:
        kind = AppKind(entry.get("kind", AppKind.MINI_PROGRAM))
    except ValueError:
        kinds = ", ".join(AppKind)
        raise ImproperlyConfigured(
            f"WXAUTH_APPS[{alias!r}] has the unknown kind {entry['kind']!r}; it is one of {kinds}."
        ) from None
    app_id, app_secret = entry.get("app_id"), entry.get("app_secret")
    if not app_id or not app_secret:
        raise ImproperlyConfigured(f"WXAUTH_APPS[{alias!r}] needs app_id and app_secret.")
    union_scope = entry.get("union_scope") or DEFAULT_SCOPE
    if not all(isinstance(text, str) for text in (alias, app_id, app_secret, union_scope)):
        raise ImproperlyConfigured(
            f"WXAUTH_APPS[{alias!r}]: alias, app_id, app_secret and union_scope are texts."
        )
    return WechatApp(
        alias=alias,
        kind=kind,
        app_id=app_id,
        app_secret=app_secret,
        union_scope=union_scope,
        **_push_keys(alias, entry),
    )


def _push_keys(alias: str, entry: Mapping[str, Any]) -> dict[str, str]:
    keys = {name: entry.get(name) or "" for name in ("push_token", "push_aes_key")}
    if not all(isinstance(text, str) for text in keys.values()):
        raise ImproperlyConfigured(f"WXAUTH_APPS[{alias!r}]: what push_ keys hold are texts.")
    if keys["push_aes_key"] and not AES_KEY.fullmatch(keys["push_aes_key"]):
        raise ImproperlyConfigured(
            f"WXAUTH_APPS[{alias!r}]: push_aes_key is not 43 letters and digits."
        )
    if keys["push_aes_key"] and not keys["push_token"]:
        raise ImproperlyConfigured(f"WXAUTH_APPS[{alias!r}] has push_aes_key and no push_token.")
    return keys


class Conf:
    """Our settings. Each read looks at the settings module, so ``override_settings`` works."""

    @property
    def apps(self) -> dict[str, WechatApp]:
        """``WXAUTH_APPS``: a dict, or the dotted path of a callable that returns one."""
        load = self.apps_loader
        entries = load() if load else getattr(settings, "WXAUTH_APPS", None)
        if not entries:
            app_id = getattr(settings, "WXAUTH_APP_ID", "")
            app_secret = getattr(settings, "WXAUTH_APP_SECRET", "")
            if not app_id and not app_secret:
                return {}
            entries = {DEFAULT_ALIAS: {"app_id": app_id, "app_secret": app_secret}}
        if not isinstance(entries, Mapping):
            raise ImproperlyConfigured("WXAUTH_APPS is not a dict.")
        return {alias: build_app(alias, entry) for alias, entry in entries.items()}

    @property
    def apps_loader(self) -> Callable[[], Mapping[str, Any]] | None:
        """What ``WXAUTH_APPS`` names when it is a dotted path; None when it is a dict."""
        path = getattr(settings, "WXAUTH_APPS", None)
        return import_string(path) if path and isinstance(path, str) else None

    def app(self, alias: str | None = None, *, kind: AppKind | None = None) -> WechatApp:
        """
        Return the app with this alias, or the default one: the first, if need be of ``kind``.

        Raise ``UnknownApp`` when there is none, or it is of another kind.
        """
        for app in self.apps.values():
            if alias in (None, app.alias) and kind in (None, app.kind):
                return app
        raise UnknownApp(reason="no app with this alias" if alias else "no such app is configured")

    @property
    def api_base_url(self) -> str:
        """``WXAUTH_API_BASE_URL``: where WeChat's API answers, no trailing slash."""
        return str(getattr(settings, "WXAUTH_API_BASE_URL", API_BASE_URL)).rstrip("/")

    @property
    def timeouts(self) -> tuple[float, float]:
        """``WXAUTH_TIMEOUTS``: seconds to connect to WeChat, seconds to wait for its answer."""
        connect, read = getattr(settings, "WXAUTH_TIMEOUTS", (3, 5))
        return float(connect), float(read)

    @property
    def cache(self) -> str:
        """``WXAUTH_CACHE``: alias in ``CACHES``."""
        return getattr(settings, "WXAUTH_CACHE", "default")

    @property
    def session_key_ttl(self) -> timedelta:
        """``WXAUTH_SESSION_KEY_TTL``: how long a session_key is kept."""
        return getattr(settings, "WXAUTH_SESSION_KEY_TTL", timedelta(hours=2))

    @property
    def encryption_secrets(self) -> list[str]:
        """
        ``WXAUTH_ENCRYPTION_KEYS``: texts; the first encrypts what is new, all decrypt.

        Without it ``SECRET_KEY`` and its fallbacks serve, so that rotating those works.
        """
        return getattr(settings, "WXAUTH_ENCRYPTION_KEYS", None) or [
            settings.SECRET_KEY,
            *settings.SECRET_KEY_FALLBACKS,
        ]

    @property
    def refresh_grace(self) -> timedelta:
        """``WXAUTH_REFRESH_GRACE``: how long a rotated refresh token still gets the same pair."""
        return getattr(settings, "WXAUTH_REFRESH_GRACE", timedelta(seconds=30))

    @property
    def phone_by_encrypted_data(self) -> bool:
        """``WXAUTH_PHONE_BY_ENCRYPTED_DATA``: take phone numbers from older clients' data."""
        return bool(getattr(settings, "WXAUTH_PHONE_BY_ENCRYPTED_DATA", True))

    @property
    def throttle_rates(self) -> dict[str, str | None]:
        """``WXAUTH_THROTTLE_RATES``: requests per period by scope, as DRF writes them, or None."""
        rates = {"address": "600/min", "person": "60/min"}
        return {**rates, **getattr(settings, "WXAUTH_THROTTLE_RATES", {})}

    @property
    def create_user(self) -> Callable[..., Any]:
        """``WXAUTH_CREATE_USER``: dotted path of what makes the user of a new person."""
        return import_string(getattr(settings, "WXAUTH_CREATE_USER", "wxauth.users.create_user"))

    @property
    def tokens(self) -> TokenSettings:
        """``SIMPLE_JWT``, with issuer and audience that are ours where the project names none."""
        jwt = getattr(settings, "SIMPLE_JWT", {})
        audience = jwt.get("AUDIENCE") or "wxauth"
        return TokenSettings(
            access_lifetime=jwt.get("ACCESS_TOKEN_LIFETIME", timedelta(minutes=30)),
            refresh_lifetime=jwt.get("REFRESH_TOKEN_LIFETIME", timedelta(days=30)),
            algorithm=jwt.get("ALGORITHM", "HS256"),
            signing_key=jwt.get("SIGNING_KEY", settings.SECRET_KEY),
            verifying_key=jwt.get("VERIFYING_KEY", ""),
            issuer=jwt.get("ISSUER") or "wxauth",
            audience=audience if isinstance(audience, str) else tuple(audience),
            leeway=jwt.get("LEEWAY", 0),
        )

    @property
    def update_last_login(self) -> bool:
        """``SIMPLE_JWT["UPDATE_LAST_LOGIN"]``: also write the user's ``last_login``."""
        return bool(getattr(settings, "SIMPLE_JWT", {}).get("UPDATE_LAST_LOGIN", False))

    @property
    def user_model(self) -> str:
        """``AUTH_USER_MODEL``."""
        return settings.AUTH_USER_MODEL

    @property
    def language_code(self) -> str:
        """``LANGUAGE_CODE``."""
        return settings.LANGUAGE_CODE

    @property
    def debug(self) -> bool:
        """``DEBUG``."""
        return settings.DEBUG

    # Leaving

    @property
    def deletion_delay(self) -> timedelta:
        """``WXAUTH_DELETION_DELAY``: how long a deletion can be called off by coming back."""
        return getattr(settings, "WXAUTH_DELETION_DELAY", timedelta(days=15))

    @property
    def erase_user(self) -> Callable[[HostUser], Any]:
        """``WXAUTH_ERASE_USER``: dotted path of what makes a user row be of nobody."""
        return import_string(getattr(settings, "WXAUTH_ERASE_USER", "wxauth.erasure.anonymise"))

    # Referrals

    @property
    def referral_depth(self) -> int:
        """``WXAUTH_REFERRAL_DEPTH``: levels of invited people that are counted, 1 to 10."""
        return getattr(settings, "WXAUTH_REFERRAL_DEPTH", 3)

    # Text messages

    @property
    def sms_backend(self) -> Callable[..., Any] | None:
        """
        ``WXAUTH_SMS_BACKEND``: dotted path of the class that sends text messages.

        Without it the console serves while ``DEBUG`` is on, and nobody in production: None.
        """
        path = getattr(settings, "WXAUTH_SMS_BACKEND", None)
        if path is None and self.debug:
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


conf = Conf()
