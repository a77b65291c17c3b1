"""Web authorisation: the address to go to, and what WeChat answers to the code."""

from typing import Any

import pytest

from wxauth.conf import AppKind, WechatApp
from wxauth.exceptions import (
    UnknownApp,
    WechatCodeInvalid,
    WechatConfigError,
    WechatError,
    WechatReauthorize,
    WechatScopeMissing,
    WechatTimeout,
    WechatUnavailable,
    WechatUserBlocked,
)
from wxauth.simulator import SimulatedApp, WechatSimulator
from wxauth.wechat import oauth
from wxauth.wechat.oauth import Scope, authorization_url, embedded_url, exchange, user_info
from wxauth.wechat.types import OAuthGrant

ACCOUNT = WechatApp("account", AppKind.OFFICIAL_ACCOUNT, "wxaccount", "made-up-secret", "main")
SITE = WechatApp("site", AppKind.WEBSITE, "wxsite", "made-up-secret-2", "main")
MOBILE = WechatApp("native", AppKind.MOBILE, "wxnative", "made-up-secret-3", "main")
EXCHANGE, USER_INFO = "/sns/oauth2/access_token", "/sns/userinfo"
GRANT = {"access_token": "t" * 90, "openid": "oA", "scope": "snsapi_login", "expires_in": 7200}


@pytest.fixture
def wechat(wechat_simulator: WechatSimulator) -> WechatSimulator:
    wechat_simulator.use_apps(map(SimulatedApp.like, (ACCOUNT, SITE, MOBILE)))
    return wechat_simulator


# The address


@pytest.mark.parametrize(
    ("app", "scope", "address"),
    [
        (
            ACCOUNT,
            Scope.BASE,
            "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wxaccount"
            "&redirect_uri=https%3A%2F%2Fshop.example.com%2Fback%3Fa%3D1%26b%3D%E5%BE%AE%20x"
            "&response_type=code&scope=snsapi_base&state=Abc123#wechat_redirect",
        ),
        (
            SITE,
            None,
            "https://open.weixin.qq.com/connect/qrconnect?appid=wxsite"
            "&redirect_uri=https%3A%2F%2Fshop.example.com%2Fback%3Fa%3D1%26b%3D%E5%BE%AE%20x"
            "&response_type=code&scope=snsapi_login&state=Abc123#wechat_redirect",
        ),
    ],
)
def test_address_is_known(app: WechatApp, scope: Any, address: str) -> None:
    back = "https://shop.example.com/back?a=1&b=微 x"
    assert authorization_url(app, redirect_uri=back, state="Abc123", scope=scope) == address


@pytest.mark.parametrize(("app", "scope"), [(MOBILE, None), (SITE, Scope.BASE)])
def test_app_without_this_page_has_no_address(app: WechatApp, scope: Any) -> None:
    with pytest.raises(UnknownApp):
        authorization_url(app, redirect_uri="https://a.example/", state="a", scope=scope)


@pytest.mark.parametrize(
    ("language", "end"),
    [
        (None, "&state=a#wechat_redirect"),
        ("en-gb", "&state=a&lang=en#wechat_redirect"),
        ("zh-hans", "&state=a&lang=cn#wechat_redirect"),
        ("fr", "&state=a&lang=en#wechat_redirect"),
    ],
)
def test_page_of_websites_is_told_the_language(language: str | None, end: str) -> None:
    back = "https://a.example/"
    address = authorization_url(SITE, redirect_uri=back, state="a", language=language)
    assert address.endswith(end)
    address = authorization_url(ACCOUNT, redirect_uri=back, state="a", language=language)
    assert address.endswith("&state=a#wechat_redirect")


def test_address_of_the_frame_is_that_of_the_page_with_more() -> None:
    back = "https://shop.example.com/back"
    page = authorization_url(SITE, redirect_uri=back, state="Abc123", language="en")
    frame = embedded_url(SITE, redirect_uri=back, state="Abc123", language="en")
    assert frame == page.replace(
        "#", "&login_type=jssdk&self_redirect=false&stylelite=1&color_scheme=auto#"
    )


@pytest.mark.parametrize("app", [ACCOUNT, MOBILE])
def test_app_that_is_no_website_has_no_frame(app: WechatApp) -> None:
    with pytest.raises(UnknownApp):
        embedded_url(app, redirect_uri="https://a.example/", state="a")


@pytest.mark.parametrize("state", ["", "a-b", "a b", "é", "a" * 129])
def test_state_that_wechat_would_change_is_a_mistake(state: str) -> None:
    with pytest.raises(ValueError, match="state"):
        authorization_url(SITE, redirect_uri="https://a.example/", state=state)


# The code


@pytest.mark.parametrize("app", [ACCOUNT, SITE, MOBILE])
def test_code_is_exchanged_for_the_person(wechat: WechatSimulator, app: WechatApp) -> None:
    wechat.user("alice").nickname = "Zoé 小明 🐟\x14"
    grant = exchange(app, oauth_code=wechat.oauth_code("alice", app.app_id))
    assert grant.openid == wechat.openid("alice", app.app_id)
    assert grant.unionid == wechat.unionid("alice", "main")
    assert not grant.is_snapshot
    told = user_info(grant)
    assert told.nickname == "Zoé 小明 🐟\x14"
    assert told.unionid == grant.unionid
    assert grant.access_token not in repr(grant)


@pytest.mark.parametrize("text", ["", "a b", "é", "\x00", "a" * 513])
def test_what_cannot_be_a_code_is_not_asked_for(wechat: WechatSimulator, text: str) -> None:
    with pytest.raises(WechatCodeInvalid):
        exchange(SITE, oauth_code=text)
    assert wechat.requests == []


@pytest.mark.parametrize(
    ("errcode", "kind"),
    [
        (40029, WechatCodeInvalid),
        (40163, WechatCodeInvalid),
        (42003, WechatCodeInvalid),
        (41008, WechatCodeInvalid),
        (40001, WechatConfigError),
        (40013, WechatConfigError),
        (40125, WechatConfigError),
        (50002, WechatUserBlocked),
        (99999, WechatError),
    ],
)
def test_refusal_of_the_code_has_its_class(
    wechat: WechatSimulator, errcode: int, kind: type[Exception]
) -> None:
    wechat.fail(EXCHANGE, errcode=errcode)
    with pytest.raises(kind) as caught:
        exchange(SITE, oauth_code=wechat.oauth_code("alice", SITE.app_id))
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("errcode", "kind"),
    [
        (48001, WechatScopeMissing),
        (40001, WechatReauthorize),
        (42001, WechatReauthorize),
        (42007, WechatReauthorize),
        (40003, WechatError),
    ],
)
def test_refusal_of_the_profile_has_its_class(
    wechat: WechatSimulator, errcode: int, kind: type[Exception]
) -> None:
    grant = exchange(SITE, oauth_code=wechat.oauth_code("alice", SITE.app_id))
    wechat.fail(USER_INFO, errcode=errcode)
    with pytest.raises(kind) as caught:
        user_info(grant)
    assert type(caught.value) is kind


def test_code_is_never_sent_twice_when_the_answer_is_lost(
    wechat: WechatSimulator, settings: Any
) -> None:
    settings.WXAUTH_TIMEOUTS = (0.3, 0.3)
    for fault, kind in (
        ("reset_after_processing", WechatUnavailable),
        ("read_timeout_after_processing", WechatTimeout),
    ):
        wechat.fail(EXCHANGE, fault=fault)
        before = len(wechat.calls(EXCHANGE))
        with pytest.raises(kind):
            exchange(SITE, oauth_code=wechat.oauth_code("alice", SITE.app_id))
        assert len(wechat.calls(EXCHANGE)) == before + 1


def test_profile_is_asked_for_again_when_the_connection_breaks(wechat: WechatSimulator) -> None:
    grant = exchange(SITE, oauth_code=wechat.oauth_code("alice", SITE.app_id))
    wechat.fail(USER_INFO, fault="reset_after_processing")
    assert user_info(grant).nickname == "alice"
    assert len(wechat.calls(USER_INFO)) == 2


# Answers that make no sense


@pytest.mark.parametrize(
    "changes",
    [
        {"openid": None},
        {"openid": ""},
        {"openid": "None"},
        {"openid": "undefined"},
        {"openid": "o" * 129},
        {"openid": 7},
        {"unionid": 7},
        {"access_token": None},
        {"access_token": ""},
        {"access_token": "t" * 2000},
    ],
)
def test_senseless_grant_is_refused(answer_with: Any, changes: dict[str, Any]) -> None:
    answer_with({**GRANT, **changes})
    with pytest.raises(WechatError):
        exchange(SITE, oauth_code="code")


@pytest.mark.parametrize("value", [1, "1", True, "true", 2, "yes", [0]])
def test_anything_but_a_clear_no_is_a_snapshot(answer_with: Any, value: Any) -> None:
    answer_with({**GRANT, "is_snapshotuser": value})
    assert exchange(SITE, oauth_code="code").is_snapshot


@pytest.mark.parametrize("value", [0, "0", False, "false", "", None])
def test_clear_no_is_none(answer_with: Any, value: Any) -> None:
    answer_with({**GRANT, "is_snapshotuser": value})
    assert not exchange(SITE, oauth_code="code").is_snapshot


def test_odd_grant_is_read(answer_with: Any) -> None:
    answer_with({**GRANT, "scope": "snsapi_login, snsapi_userinfo", "expires_in": 10**400})
    assert exchange(SITE, oauth_code="code").scope == {"snsapi_login", "snsapi_userinfo"}


@pytest.mark.parametrize("changes", [{"openid": "oB"}, {"unionid": "uB"}])
def test_profile_of_somebody_else_is_refused(answer_with: Any, changes: dict[str, str]) -> None:
    grant = OAuthGrant(
        openid="oA",
        unionid="uA",
        scope=frozenset({"snsapi_login"}),
        access_token="t",
        is_snapshot=False,
    )
    answer_with({"openid": "oA", "unionid": "uA", "nickname": "n", **changes})
    with pytest.raises(WechatError):
        oauth.user_info(grant)
