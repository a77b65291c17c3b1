"""One registered app, as an entry of ``WXAUTH_APPS`` describes it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.core.exceptions import ImproperlyConfigured

DEFAULT_SCOPE = "default"
APP_KEYS = {"kind", "app_id", "app_secret", "union_scope", "push_token", "push_aes_key"}
AES_KEY = re.compile(r"[A-Za-z0-9]{43}")  # what WeChat calls EncodingAESKey


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
