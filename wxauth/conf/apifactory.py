"""The settings of the drop-in for clients that were written against API工厂."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string


class ApifactorySettings:
    """Which app a sub domain is, how long a token lasts, what the answers have beside ours."""

    @property
    def apifactory_apps(self) -> Mapping[str, str]:
        """``WXAUTH_APIFACTORY_APPS``: alias by sub domain; all others are the default app."""
        return getattr(settings, "WXAUTH_APIFACTORY_APPS", {})

    @property
    def apifactory_token_lifetime(self) -> timedelta:
        """``WXAUTH_APIFACTORY_TOKEN_LIFETIME``: how long a token is good; nothing renews it."""
        return getattr(settings, "WXAUTH_APIFACTORY_TOKEN_LIFETIME", timedelta(days=90))

    @property
    def apifactory_user_detail(self) -> Callable[..., Mapping[str, Any]] | None:
        """``WXAUTH_APIFACTORY_USER_DETAIL``: dotted path of what adds blocks to userDetail."""
        path = getattr(settings, "WXAUTH_APIFACTORY_USER_DETAIL", None)
        return import_string(path) if path else None

    @property
    def append_slash(self) -> bool:
        """``APPEND_SLASH``: whether the site adds a slash to addresses that lack one."""
        return settings.APPEND_SLASH

    @property
    def apifactory_config(self) -> Mapping[str, Any]:
        """``WXAUTH_APIFACTORY_CONFIG``: what config/values answers, value by key."""
        return getattr(settings, "WXAUTH_APIFACTORY_CONFIG", {})
