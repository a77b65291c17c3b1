"""Browsers: where they are sent, where they may return to, and what is fetched for them."""

import re
from typing import Any
from urllib.parse import urlsplit

from django.core.checks import CheckMessage, register
from django.core.files.storage import FileSystemStorage, default_storage
from django.urls import NoReverseMatch, reverse

from wxauth.checks.messages import TAG, error, warning
from wxauth.conf import conf
from wxauth.web.middleware import LoginSessionMiddleware
from wxauth.wechat.oauth import PAGES

HOST = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*|[0-9a-f:]+")  # IPv6 without brackets


@register(TAG)
def check_open_base_url(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E031: people are sent to WeChat's pages, encrypted."""
    hint = "Leave it out for WeChat itself: https://open.weixin.qq.com."
    parts = _parts(conf.open_base_url)
    if parts is None:
        return [error(31, "WXAUTH_OPEN_BASE_URL is not the address of a server.", hint=hint)]
    scheme, host = parts
    # W002 speaks of a simulator in production.
    if scheme != "https" and not conf.debug and not conf.is_this_machine(host):
        return [error(31, "WXAUTH_OPEN_BASE_URL is not https, and DEBUG is off.", hint=hint)]
    return []


@register(TAG)
def check_return_origins(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E035: other sites are named as browsers name them."""
    origins: Any = conf.return_origins
    if isinstance(origins, list | tuple) and all(map(_is_origin, origins)):
        return []
    message = "WXAUTH_RETURN_ORIGINS is not a list of origins."
    hint = 'Scheme, host and port if it is not the usual one, and no path: "https://a.example".'
    return [error(35, message, hint=hint)]


@register(TAG)
def check_avatar_hosts(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E036, W009, W012: pictures come from hosts, and go where they can be shown."""
    hosts: Any = conf.avatar_hosts
    if not isinstance(hosts, list | tuple) or not all(map(_is_host, hosts)):
        hint = 'WeChat\'s are [".qlogo.cn"]: no scheme, no port, small letters, no asterisk.'
        return [error(36, "WXAUTH_AVATAR_HOSTS is not a list of host names.", hint=hint)]
    if any(map(conf.is_this_machine, hosts)) and not conf.debug:
        message = "WXAUTH_AVATAR_HOSTS names this machine, and DEBUG is off."
        hint = "Whoever writes an address into a profile makes the site ask its own services."
        return [warning(9, message, hint=hint)]
    if hosts and _is_without_place(default_storage):
        message = "WXAUTH_AVATAR_HOSTS is set, and MEDIA_ROOT is not."
        hint = (
            "Pictures would be copied into the working directory, from which nobody serves them. "
            "Set MEDIA_ROOT and MEDIA_URL, or another default storage."
        )
        return [warning(12, message, hint=hint)]
    return []


@register(TAG)
def check_sessions(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """W008, W010: a browser's session comes along from WeChat, and ends with ours."""
    try:
        reverse("wxauth_web:scan")
    except NoReverseMatch:
        return []
    except Exception:  # the URLconf cannot be read, and Django itself will say so
        return []
    found = []
    if not any(path.endswith(f".{LoginSessionMiddleware.__name__}") for path in conf.middleware):
        message = "wxauth.web.urls is included, and MIDDLEWARE has no LoginSessionMiddleware."
        hint = (
            'Add "wxauth.web.middleware.LoginSessionMiddleware" behind AuthenticationMiddleware: '
            "without it, a sign-out everywhere and a deletion leave browsers signed in."
        )
        found.append(warning(8, message, hint=hint))
    if str(conf.session_cookie_samesite).lower() == "strict":
        message = 'wxauth.web.urls is included, and SESSION_COOKIE_SAMESITE is "Strict".'
        hint = 'People come back from WeChat without their session. Django\'s own is "Lax".'
        found.append(warning(10, message, hint=hint))
    return found


@register(TAG)
def check_simulator(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """W011: who plays WeChat for the server plays it for browsers too."""
    parts = _parts(conf.open_base_url), _parts(conf.api_base_url)
    if not conf.debug or None in parts:  # E005, E031, and W002 without DEBUG
        return []
    try:
        has_pages = any(app.kind in PAGES for app in conf.apps.values())
    except Exception:  # E002, E003, W006
        return []
    if not has_pages or len({conf.is_this_machine(part[1]) for part in parts if part}) == 1:
        return []
    message = "Of WXAUTH_API_BASE_URL and WXAUTH_OPEN_BASE_URL one leads to this machine."
    hint = "A code of the one is unknown to the other: set both to the simulator, or neither."
    return [warning(11, message, hint=hint)]


def _parts(url: str) -> tuple[str, str] | None:
    """Return scheme and host of an address, or None when it is none."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port  # ValueError: the port is no number
    except ValueError:
        return None
    return (parts.scheme, host) if host and parts.scheme in {"http", "https"} else None


def _is_origin(value: Any) -> bool:
    if not isinstance(value, str) or value != value.lower() or _parts(value) is None:
        return False
    parts = urlsplit(value)
    return value == f"{parts.scheme}://{parts.netloc}" and "@" not in value


def _is_without_place(storage: Any) -> bool:
    try:
        return isinstance(storage, FileSystemStorage) and not storage.base_location
    except Exception:  # there is no such storage, and Django itself will say so
        return False


def _is_host(value: Any) -> bool:
    return isinstance(value, str) and HOST.fullmatch(value) is not None
