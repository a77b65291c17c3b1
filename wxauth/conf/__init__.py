"""
The settings, read live, and the one place that reads ``django.conf.settings``.

Every setting of ours is a typed property of ``conf``; the documentation's table has them all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeAlias

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from wxauth.conf.apifactory import ApifactorySettings
from wxauth.conf.apps import AppKind, WechatApp, build_app
from wxauth.conf.sms import SmsSettings
from wxauth.conf.web import WebSettings
from wxauth.exceptions import UnknownApp

__all__ = [
    "API_BASE_URL",
    "AppKind",
    "Conf",
    "HostUser",
    "TokenSettings",
    "WechatApp",
    "build_app",
    "conf",
]

API_BASE_URL = "https://api.weixin.qq.com"
DEFAULT_ALIAS = "default"

# A row of AUTH_USER_MODEL. Its class is the host project's choice, so no type says more.
HostUser: TypeAlias = Any


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


class Conf(WebSettings, ApifactorySettings, SmsSettings):
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
    def login_redirect_url(self) -> str:
        """``LOGIN_REDIRECT_URL``."""
        return str(settings.LOGIN_REDIRECT_URL)

    @property
    def login_url(self) -> str:
        """``LOGIN_URL``."""
        return str(settings.LOGIN_URL)

    @property
    def middleware(self) -> list[str]:
        """``MIDDLEWARE``."""
        return settings.MIDDLEWARE

    @property
    def session_cookie_samesite(self) -> str | bool | None:
        """``SESSION_COOKIE_SAMESITE``."""
        return settings.SESSION_COOKIE_SAMESITE

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


conf = Conf()
