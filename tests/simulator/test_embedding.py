"""WeChat's QR code in a frame, wxLogin.js, and the WeChat of the same computer."""

import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.simulator.conftest import WEBSITE, Server
from tests.simulator.test_oauth import ACCOUNT, _apps, exchange, get, page_url  # noqa: F401
from wxauth.simulator import SimulatorError, WechatSimulator

pytestmark = pytest.mark.static

SCRIPT = "/connect/zh_CN/htmledition/js/wxLogin.js"


def embedded_url(sim: WechatSimulator, **changes: str) -> str:
    fields = {"login_type": "jssdk", "self_redirect": "false"} | changes
    return page_url(sim, **fields)


def script_url(
    sim: WechatSimulator, redirect_uri: str = "http%3A%2F%2F127.0.0.1%3A9%2Fback"
) -> str:
    """Return the address that WeChat's own script makes: in another order, with empty fields."""
    return (
        f"{sim.base_url}/connect/qrconnect?appid={WEBSITE.app_id}&scope=snsapi_login"
        f"&redirect_uri={redirect_uri}&state=Abc123&login_type=jssdk&self_redirect=default"
        "&styletype=&sizetype=&bgcolor=&rst=&style=black"
    )


def location_of(response: requests.Response) -> str:
    assert response.status_code == 302, response.text
    return response.headers["Location"]


def code_in(address: str) -> str:
    return parse_qs(urlsplit(address).query)["code"][0]


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({}, "_top"),
        ({"self_redirect": "default"}, "_top"),
        ({"self_redirect": "true"}, "_self"),
    ],
)
def test_frame_asks_for_the_right_window(
    sim: WechatSimulator, changes: dict[str, str], target: str
) -> None:
    page = get(embedded_url(sim, **changes)).text
    assert f'<form method="get" target="{target}">' in page
    assert 'value="refuse" formnovalidate formtarget="_self"' in page
    assert "wxReady" in page
    assert 'target="_self"' in get(page_url(sim)).text
    assert "wxReady" not in get(page_url(sim)).text


def test_allowing_in_a_frame_sends_back(sim: WechatSimulator, server: Server) -> None:
    for self_redirect in ("true", "false"):
        url = embedded_url(sim, self_redirect=self_redirect, _sim_user="alice", _sim_do="allow")
        assert exchange(server, code_in(location_of(get(url))))["scope"] == "snsapi_login"


def test_person_who_allows_all_moves_the_whole_window(sim: WechatSimulator, server: Server) -> None:
    sim.approve_as("alice")
    page = get(embedded_url(sim))
    found = re.search(r"top\.location\.replace\((.+?)\)<", page.text)
    assert page.status_code == 200
    assert found
    assert "<x>" not in page.text
    assert "errcode" not in exchange(server, code_in(json.loads(found[1])))
    location_of(get(embedded_url(sim, self_redirect="true")))
    twice = get(embedded_url(sim, _sim_way="twice")).text
    assert twice.count("state=Abc123") == 2
    assert "top.location" not in twice


def test_address_of_the_script_is_taken(sim: WechatSimulator) -> None:
    page = get(script_url(sim)).text
    assert "Scan to sign in" in page
    assert "10005" in get(script_url(sim).replace("&login_type=jssdk", "")).text


def test_address_that_was_not_encoded_is_refused(sim: WechatSimulator) -> None:
    page = get(script_url(sim, redirect_uri="http://127.0.0.1:9/back?a=1&b=2")).text
    assert "10005" in page


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"login_type": "x"}, "login_type is none of: jssdk"),
        ({"self_redirect": "maybe"}, "self_redirect is none of: default, false, true"),
        ({"style": "red"}, "style is none of: black, white"),
        ({"stylelite": "2"}, "stylelite is none of: 0, 1"),
        ({"fast_login": "no"}, "fast_login is none of: 0, 1"),
        ({"color_scheme": "pink"}, "color_scheme is none of: auto, dark, light"),
        ({"lang": "zh"}, "lang is none of: cn, en"),
        ({"colour": "red"}, "10005"),
        ({"forceSnapShot": "true"}, "10005"),
        ({"scope": "snsapi_base"}, "10005"),
        ({"redirect_uri": "https://evil.example/"}, "10003"),
        ({"response_type": "token"}, "response_type"),
    ],
)
def test_frame_shows_what_is_wrong(
    sim: WechatSimulator, changes: dict[str, str], says: str
) -> None:
    sim.approve_as("alice")
    answer = get(embedded_url(sim, **changes))
    assert answer.status_code == 200
    assert says in unescape(answer.text)


@pytest.mark.parametrize("name", ["self_redirect", "style", "stylelite", "fast_login"])
def test_page_that_is_in_no_frame_takes_nothing_for_frames(sim: WechatSimulator, name: str) -> None:
    assert "10005" in get(page_url(sim, **{name: "1"})).text


def test_official_account_has_no_frame(sim: WechatSimulator) -> None:
    assert "10005" in get(page_url(sim, ACCOUNT, login_type="jssdk")).text
    assert "none of" in get(page_url(sim, ACCOUNT, forcePopup="yes")).text


@pytest.mark.parametrize(
    ("changes", "scheme"),
    [
        ({}, "light"),
        ({"color_scheme": "dark"}, "dark"),
        ({"color_scheme": "auto"}, "light dark"),
    ],
)
def test_frame_is_light_unless_told(
    sim: WechatSimulator, changes: dict[str, str], scheme: str
) -> None:
    assert f'name="color-scheme" content="{scheme}"' in get(embedded_url(sim, **changes)).text


def test_page_speaks_chinese_when_asked(sim: WechatSimulator) -> None:
    assert "扫码登录" in get(page_url(sim, lang="cn")).text
    assert "Scan to sign in" in get(page_url(sim, lang="en")).text
    assert "已拒绝" in get(page_url(sim, lang="cn", _sim_do="refuse")).text


def test_forced_snapshot_is_nobody(sim: WechatSimulator, server: Server) -> None:
    url = page_url(sim, ACCOUNT, forceSnapShot="true", _sim_user="alice", _sim_do="allow")
    assert exchange(server, code_in(location_of(get(url))), ACCOUNT)["is_snapshotuser"] == 1
    url = page_url(sim, ACCOUNT, forceSnapShot="false", _sim_user="alice", _sim_do="allow")
    assert "is_snapshotuser" not in exchange(server, code_in(location_of(get(url))), ACCOUNT)


def test_script_is_served(sim: WechatSimulator) -> None:
    answer = get(sim.base_url + SCRIPT)
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "window.WxLogin" in answer.text
    assert requests.post(sim.base_url + SCRIPT, timeout=5).status_code == 405


# The WeChat of the same computer


def test_desktop_spares_the_scan(sim: WechatSimulator, server: Server) -> None:
    assert "Continue as" not in get(page_url(sim)).text
    sim.sign_in_desktop("al<ice")
    for url in (page_url(sim), embedded_url(sim)):
        assert "Continue as al&lt;ice" in get(url).text
    grant = exchange(server, code_in(location_of(get(embedded_url(sim, _sim_do="fast")))))
    assert grant["openid"] == sim.openid("al<ice", WEBSITE.app_id)
    sim.sign_in_desktop(None)
    assert "Continue as" not in get(page_url(sim)).text


def test_desktop_that_is_not_signed_in_spares_nothing(sim: WechatSimulator) -> None:
    assert get(page_url(sim, _sim_do="fast")).status_code == 400
    sim.sign_in_desktop("alice")
    refused = {"fast_login": "0", "_sim_do": "fast"}
    assert get(embedded_url(sim, **refused)).status_code == 400
    assert "Continue as" not in get(embedded_url(sim, fast_login="0")).text
    assert get(page_url(sim, ACCOUNT, _sim_do="fast")).status_code == 400


def test_hash_route_misses_the_code_of_a_fast_login(sim: WechatSimulator) -> None:
    sim.sign_in_desktop("alice")
    how: dict[str, Any] = {"redirect_uri": "http://127.0.0.1:9/#/back"}
    fast = urlsplit(location_of(get(page_url(sim, **how, _sim_do="fast"))))
    assert (fast.path, fast.fragment) == ("/", "/back")
    assert "code=" in fast.query
    scanned = urlsplit(location_of(get(page_url(sim, **how, _sim_do="allow", _sim_user="alice"))))
    assert scanned.query == ""
    assert scanned.fragment.startswith("/back?code=")


def test_name_of_nobody_is_refused(sim: WechatSimulator) -> None:
    with pytest.raises(SimulatorError, match="1 to 200"):
        sim.sign_in_desktop("")
