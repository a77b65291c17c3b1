"""
Web authorisation: official accounts, websites and mobile apps.

Pages: developers.weixin.qq.com, "网页授权", "网站应用微信登录", "移动应用微信登录".
"""

import logging
import re
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeGuard
from urllib.parse import quote

from django.views.decorators.debug import sensitive_variables

from wxauth.conf import AppKind, WechatApp, conf
from wxauth.exceptions import UnknownApp, WechatCodeInvalid
from wxauth.wechat.client import is_code, read_openid, read_unionid, senseless
from wxauth.wechat.errcodes import OAUTH_EXCHANGE, OAUTH_REFRESH, USER_INFO
from wxauth.wechat.exchange import ask
from wxauth.wechat.types import Answer, Call, OAuthGrant, OAuthUser

logger = logging.getLogger("wxauth.wechat")

STATE = re.compile(r"[a-zA-Z0-9]{1,128}")
MAX_TOKEN = 1024  # characters
ACCESS_LIFETIME = 7200  # seconds, where the answer names none that makes sense
# How long what WeChat calls refresh_token lives, which no answer tells.
REFRESH_LIFETIME = {
    AppKind.OFFICIAL_ACCOUNT: timedelta(days=30),
    AppKind.WEBSITE: timedelta(days=30),
    AppKind.MOBILE: timedelta(days=180),
}


class Scope(StrEnum):
    """What an authorisation asks for."""

    BASE = "snsapi_base"  # who it is, without a question; official accounts
    USERINFO = "snsapi_userinfo"  # name, picture and unionid too; official accounts, mobile apps
    LOGIN = "snsapi_login"  # the same, by QR code; websites


# The page of each kind of app, and the scopes it takes; the first is the usual one.
PAGES = {
    AppKind.OFFICIAL_ACCOUNT: ("/connect/oauth2/authorize", (Scope.USERINFO, Scope.BASE)),
    AppKind.WEBSITE: ("/connect/qrconnect", (Scope.LOGIN,)),
}
PROFILE_SCOPES = {Scope.USERINFO, Scope.LOGIN}
# What wxLogin.js adds: the frame sends the whole window on, has the newer look, which can be dark,
# and is light or dark as the visitor's system is.
EMBEDDING = (
    ("login_type", "jssdk"),
    ("self_redirect", "false"),
    ("stylelite", "1"),
    ("color_scheme", "auto"),
)


def authorization_url(
    app: WechatApp,
    *,
    redirect_uri: str,
    state: str,
    scope: Scope | None = None,
    language: str | None = None,
) -> str:
    """
    Return where to send the browser. ``scope`` None is the app's usual one, with the profile.

    WeChat reads the parameters in this order only, and wants the fragment. Raise ``UnknownApp``
    for an app without such a page, or without this scope. ``state`` is letters and digits.
    ``language`` is the visitor's, as in ``zh-hans``; the page of websites alone has a choice of
    two, and takes Chinese where none is given.
    """
    return _page_url(app, _fields(app, redirect_uri, state, scope, language))


def embedded_url(
    app: WechatApp, *, redirect_uri: str, state: str, language: str | None = None
) -> str:
    """
    Return the address of a frame with WeChat's QR code, for apps of websites: as wxLogin.js does.

    Who allows is sent to ``redirect_uri`` in the whole window, not in the frame. 300 by 400 pixels
    are enough. Raise ``UnknownApp`` for an app of another kind.
    """
    if app.kind is not AppKind.WEBSITE:
        raise UnknownApp(reason="only the page of websites can be embedded")
    return _page_url(app, [*_fields(app, redirect_uri, state, None, language), *EMBEDDING])


def _fields(
    app: WechatApp, redirect_uri: str, state: str, scope: Scope | None, language: str | None
) -> list[tuple[str, str]]:
    _, scopes = PAGES.get(app.kind, ("", ()))
    if not scopes or (scope is not None and scope not in scopes):
        raise UnknownApp(reason="the app has no page for this scope")
    if not STATE.fullmatch(state):
        raise ValueError("state is not of letters and digits, 128 at most")
    fields = [
        ("appid", app.app_id),
        ("redirect_uri", redirect_uri),
        ("response_type", "code"),
        ("scope", scope or scopes[0]),
        ("state", state),
    ]
    if language is not None and app.kind is AppKind.WEBSITE:
        fields.append(("lang", "cn" if language.startswith("zh") else "en"))
    return fields


def _page_url(app: WechatApp, fields: list[tuple[str, str]]) -> str:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields)
    return f"{conf.open_base_url}{PAGES[app.kind][0]}?{query}#wechat_redirect"


@sensitive_variables("oauth_code", "answer")
def exchange(app: WechatApp, *, oauth_code: str) -> OAuthGrant:
    """
    Spend the code of an authorisation.

    Raise ``WechatCodeInvalid`` when the code is wrong, used or too old, or another ``WechatError``.
    """
    if not is_code(oauth_code):
        raise WechatCodeInvalid(reason="oauth_code is not printable ASCII of a code's length")
    return _grant(
        ask(
            Call(
                OAUTH_EXCHANGE,
                query={
                    "appid": app.app_id,
                    "secret": app.app_secret,
                    "code": oauth_code,
                    "grant_type": "authorization_code",
                },
            )
        )
    )


@sensitive_variables("refresh_token")
def renew(app: WechatApp, *, refresh_token: str) -> OAuthGrant:
    """
    Prolong a grant, or get a new access token for it. The app's secret is not asked for.

    Raise ``WechatReauthorize`` when the grant is over, or another ``WechatError``.
    """
    return _grant(
        ask(
            Call(
                OAUTH_REFRESH,
                query={
                    "appid": app.app_id,
                    "grant_type": "refresh_token",
                    "refresh_token": refresh_token,
                },
                repeatable=True,
            )
        )
    )


@sensitive_variables("answer")
def user_info(grant: OAuthGrant) -> OAuthUser:
    """
    Return the profile of who gave this grant, with the unionid if there is one.

    Raise ``WechatScopeMissing`` when the profile was not granted.
    """
    answer = ask(
        Call(
            USER_INFO,
            query={"access_token": grant.access_token, "openid": grant.openid, "lang": "zh_CN"},
            repeatable=True,
        )
    )
    if read_openid(answer) != grant.openid:
        raise senseless("openid")
    unionid = read_unionid(answer)
    if None not in (unionid, grant.unionid) and unionid != grant.unionid:
        raise senseless("unionid")
    nickname, avatar_url = answer.get("nickname"), answer.get("headimgurl")
    return OAuthUser(
        unionid=unionid,
        nickname=nickname if isinstance(nickname, str) else "",
        avatar_url=avatar_url if isinstance(avatar_url, str) else "",
    )


@sensitive_variables("answer", "token", "refresh")
def _grant(answer: Answer) -> OAuthGrant:
    token, scope = answer.get("access_token"), answer.get("scope")
    if not _is_token(token):
        raise senseless("access_token")
    scopes = scope.split(",") if isinstance(scope, str) else []
    refresh, seconds = answer.get("refresh_token"), answer.get("expires_in")
    return OAuthGrant(
        openid=read_openid(answer),
        unionid=read_unionid(answer),
        scope=frozenset(each.strip() for each in scopes),
        access_token=token,
        # Documented is 1. What is neither that nor a clear no is no person to trust.
        is_snapshot=str(answer.get("is_snapshotuser") or 0).lower() not in {"0", "false"},
        refresh_token=refresh if _is_token(refresh) else "",
        expires_in=seconds if _is_lifetime(seconds) else ACCESS_LIFETIME,
    )


def _is_token(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_TOKEN


def _is_lifetime(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 < value <= ACCESS_LIFETIME
