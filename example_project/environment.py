"""What the environment says: each value is taken as it is or refused in one sentence."""

import json
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from wxauth.conf import build_app

YES = {"1", "true", "yes", "on"}
NO = {"0", "false", "no", "off"}
CONNECTION_LIFE = 60  # seconds that a database connection is kept and used again
FILE_SENDER = "wxauth.sms.file.FileSender"
SQLITE_PATIENCE = 20  # seconds that a writer waits for another one


def read_text(name: str, default: str = "") -> str:
    """Return the variable without the space around it; an empty one counts as not set."""
    return os.environ.get(name, "").strip() or default


def read_flag(name: str, *, default: bool) -> bool:
    """Return what a switch says."""
    value = read_text(name).lower()
    if not value:
        return default
    if value not in YES | NO:
        raise ImproperlyConfigured(f"{name} is 1 or 0 (also true, yes, on, false, no, off).")
    return value in YES


def read_count(name: str, *, default: int) -> int:
    """Return a whole number, zero or more."""
    value = read_text(name)
    if not value:
        return default
    if not (value.isascii() and value.isdigit()):
        raise ImproperlyConfigured(f"{name} is a whole number, zero or more.")
    return int(value)


def read_list(name: str, default: list[str]) -> list[str]:
    """Return the parts of a list written with commas."""
    parts = [part.strip() for part in read_text(name).split(",")]
    return [part for part in parts if part] or default


def read_origins(name: str) -> list[str]:
    """Return a list of origins such as ``https://shop.example``."""
    origins = read_list(name, [])
    for origin in origins:
        if not origin.startswith(("https://", "http://")):
            raise ImproperlyConfigured(f"{name} has entries such as https://shop.example.")
    return origins


def read_url(name: str, default: str) -> str:
    """Return the address of an HTTP service, without a slash at its end."""
    value = read_text(name, default).rstrip("/")
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ImproperlyConfigured(f"{name} is an address such as https://api.weixin.qq.com.")
    return value


def read_database(name: str, *, fallback: Path) -> dict[str, Any]:
    """Return Django's description of the database; without the variable, of an SQLite file."""
    url = read_text(name)
    if not url:
        fallback.parent.mkdir(parents=True, exist_ok=True)
    try:
        config: dict[str, Any] = dict(
            dj_database_url.parse(
                url or f"sqlite:///{fallback}",
                conn_max_age=CONNECTION_LIFE,
                conn_health_checks=True,
            )
        )
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} is an address such as postgres://user:password@host:5432/name."
        ) from None
    options = config.setdefault("OPTIONS", {})
    if config["ENGINE"].endswith("sqlite3"):
        # A transaction that turns from reading to writing fails at once when another one writes,
        # whatever the timeout: so each begins as a writer, and waits for its turn.
        options.setdefault("transaction_mode", "IMMEDIATE")
        options.setdefault("timeout", SQLITE_PATIENCE)
        options.setdefault("init_command", "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
    elif config["ENGINE"].endswith("mysql"):
        options.setdefault("charset", "utf8mb4")
        options.setdefault("init_command", "SET sql_mode='STRICT_TRANS_TABLES'")
    return config


def read_cache(name: str) -> dict[str, Any]:
    """Return Django's description of the cache; without the variable, of this process's memory."""
    url = read_text(name)
    if not url:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ImproperlyConfigured(f"{name} is an address such as redis://host:6379/0.")
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": url,
        "KEY_PREFIX": read_text("REDIS_KEY_PREFIX", "wxauth-example"),
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 2, "SOCKET_TIMEOUT": 2},  # seconds
    }


def read_apps(fallback: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return ``WXAUTH_APPS``: all of it as JSON, one app by its id and secret, or ``fallback``."""
    text = read_text("WXAUTH_APPS")
    app_id, app_secret = read_text("WXAUTH_APP_ID"), read_text("WXAUTH_APP_SECRET")
    if text:
        apps = _parse_apps(text)
    elif app_id and app_secret:
        apps = {"default": {"app_id": app_id, "app_secret": app_secret}}
    elif app_id or app_secret:
        raise ImproperlyConfigured("WXAUTH_APP_ID and WXAUTH_APP_SECRET are set together.")
    else:
        apps = fallback
    for alias, entry in apps.items():
        build_app(alias, entry)  # raises what is wrong with it now, and not at the first sign-in
    return apps


def _parse_apps(text: str) -> dict[str, dict[str, str]]:
    try:
        apps = json.loads(text)
    except ValueError:
        apps = None
    # The text holds secrets: no message shows it.
    if not isinstance(apps, dict) or not apps:
        raise ImproperlyConfigured(
            'WXAUTH_APPS is JSON such as {"mall": {"app_id": "wx…", "app_secret": "…"}}.'
        )
    for alias, entry in apps.items():
        if not isinstance(entry, dict) or not all(isinstance(v, str) for v in entry.values()):
            raise ImproperlyConfigured(f"WXAUTH_APPS[{alias!r}] is an object of texts.")
    return apps


def read_sms(fallback: Path | None) -> tuple[str | None, dict[str, Any]]:
    """
    Return ``WXAUTH_SMS_BACKEND`` and ``WXAUTH_SMS_OPTIONS``, who sends text messages and how.

    Without them, messages end in the file ``fallback``; without that, nobody sends any.
    """
    backend, text = read_text("WXAUTH_SMS_BACKEND"), read_text("WXAUTH_SMS_OPTIONS")
    if backend:
        return backend, _parse_options(text)
    if text:
        raise ImproperlyConfigured("WXAUTH_SMS_OPTIONS needs WXAUTH_SMS_BACKEND.")
    if fallback is None:
        return None, {}
    fallback.parent.mkdir(parents=True, exist_ok=True)
    return FILE_SENDER, {"path": str(fallback)}


def _parse_options(text: str) -> dict[str, Any]:
    try:
        options = json.loads(text or "{}")
    except ValueError:
        options = None
    if not isinstance(options, dict):  # what it says may be a secret
        raise ImproperlyConfigured('WXAUTH_SMS_OPTIONS is JSON such as {"sign_name": "…"}.')
    return options


def read_secret_key(*, debug: bool, directory: Path) -> str:
    """Return ``SECRET_KEY``; on a laptop without one, a random key that this checkout keeps."""
    value = read_text("SECRET_KEY")
    if value:
        return value
    if not debug:
        raise ImproperlyConfigured(
            "SECRET_KEY is required without DEBUG: a long random text, the same on all machines."
        )
    return keep_secret(directory / "secret-key")


def keep_secret(path: Path, *, size: int = 48) -> str:
    """
    Return the text in this file; when there is none yet, first write ``size`` random bytes.

    Of several processes that start together all get the same text: the file appears complete, and
    once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".new-") as draft:
            draft.write(secrets.token_urlsafe(size))
            draft.flush()
            with suppress(FileExistsError):  # another process was faster
                os.link(draft.name, path)
    return path.read_text().strip()
