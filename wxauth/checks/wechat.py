"""The apps, and the way to WeChat."""

import math
from typing import Any
from urllib.parse import urlsplit

from django.core.checks import CheckMessage, register
from django.core.exceptions import ImproperlyConfigured

from wxauth.checks.messages import TAG, error, warning
from wxauth.conf import conf

APPS_HINT = (
    "Set WXAUTH_APP_ID and WXAUTH_APP_SECRET to those of your mini program "
    "(mp.weixin.qq.com, 开发管理), or for several apps WXAUTH_APPS = "
    '{"alias": {"kind": "mini_program", "app_id": "wx…", "app_secret": "…"}}.'
)


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
    if conf.is_this_machine(host):
        message = "WXAUTH_API_BASE_URL leads to this machine, without https, and DEBUG is off."
        hint = "A simulator lets in anybody as anybody. Leave the setting out for WeChat itself."
        return [warning(2, message, hint=hint)]
    message = f"WXAUTH_API_BASE_URL sends app secrets to {host} without encryption."
    return [error(6, message, hint="Use https.")]


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
