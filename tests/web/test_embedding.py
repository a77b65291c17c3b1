"""WeChat's QR code inside a page, and what comes back into a frame."""

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from tests.web.conftest import Browser
from tests.web.test_oauth import EXCHANGE, check_page
from wxauth.simulator import WechatSimulator

pytestmark = pytest.mark.django_db

User = get_user_model()
FRAMED = {"Sec-Fetch-Dest": "iframe"}


def frame_of(response: Any) -> str:
    """Return the address of WeChat's page in this page of ours."""
    text = response.content.decode()
    assert response.status_code == 200, text
    frames = re.findall(r'<iframe[^>]* src="([^"]+)"', text)
    assert len(frames) == 1
    return unescape(frames[0])


def embed(browser: Browser, **query: str) -> dict[str, str]:
    """Look at the page; return the parameters of its frame."""
    address = frame_of(browser.client.get("/wechat/embed/site/", query))
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def check_framable(response: Any) -> None:
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in response["Content-Security-Policy"]


def test_frame_is_what_wechats_script_makes(browser: Browser, wechat: WechatSimulator) -> None:
    response = browser.client.get("/wechat/embed/site/")
    assert re.fullmatch(
        re.escape(f"{wechat.base_url}/connect/qrconnect?appid=wxsite00000000001")
        + r"&redirect_uri=http%3A%2F%2Ftestserver%2Fwechat%2Fcallback%2Fsite%2F"
        + r"&response_type=code&scope=snsapi_login&state=[0-9a-f]{40}&lang=en"
        + r"&login_type=jssdk&self_redirect=false&stylelite=1&color_scheme=auto#wechat_redirect",
        frame_of(response),
    )
    text = response.content.decode()
    assert 'allow="local-network-access"' in text
    assert "<script" not in text
    assert "sandbox" not in text


def test_page_lets_in_wechat_and_is_let_into_pages_of_the_site(
    browser: Browser, wechat: WechatSimulator
) -> None:
    response = browser.client.get("/wechat/embed/site/")
    check_framable(response)
    policy = response["Content-Security-Policy"]
    assert f"frame-src 'self' {wechat.base_url};" in policy
    assert policy.startswith("default-src 'none';")
    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "no-referrer"


def test_address_of_wechat_with_a_path_is_an_origin_in_the_policy(
    browser: Browser, settings: Any
) -> None:
    settings.WXAUTH_OPEN_BASE_URL = "https://proxy.example:8443/wechat"
    policy = browser.client.get("/wechat/embed/site/")["Content-Security-Policy"]
    assert "frame-src 'self' https://proxy.example:8443;" in policy


@pytest.mark.parametrize(
    ("static_url", "sources"),
    [
        ("static/", "'self'"),
        ("https://cdn.example:8443/shop/", "'self' https://cdn.example:8443"),
        ("//cdn.example/", "'self' cdn.example"),
    ],
)
def test_pages_may_load_static_files_from_their_own_host(
    browser: Browser, settings: Any, static_url: str, sources: str
) -> None:
    settings.STATIC_URL = static_url
    pages = {
        "/wechat/embed/site/": ["style-src", "img-src"],
        "/wechat/start/nobody/": ["style-src", "img-src"],
        "/wechat/scan/": ["script-src", "style-src", "img-src"],
        "/wechat/callback/site/": ["script-src", "style-src"],
    }
    for page, kinds in pages.items():
        framed = {"Sec-Fetch-Dest": "iframe"} if "callback" in page else {}
        response = browser.client.get(page, headers=framed)
        assert b"module" not in response.content  # for which that host would have to send CORS
        policy = response["Content-Security-Policy"]
        parts = dict(part.split(" ", 1) for part in policy.split("; "))
        assert {parts[kind].removesuffix(" data:") for kind in kinds} == {sources}


def test_way_back_signs_in(browser: Browser) -> None:
    state = embed(browser, next="/deliveries/")["state"]
    assert browser.back(state, alias="site")["Location"] == "/deliveries/"
    assert browser.user_id == str(User.objects.get().pk)


def test_way_back_can_end_in_a_ticket(browser: Browser) -> None:
    state = embed(browser, next="https://spa.example/app", flow="ticket")["state"]
    location = browser.back(state, alias="site")["Location"]
    assert location.startswith("https://spa.example/app?wxauth_ticket=")
    assert browser.user_id is None


def test_other_browser_cannot_use_the_code(browser: Browser, wechat: WechatSimulator) -> None:
    state = embed(browser)["state"]
    query = {"state": state, "code": browser.code("site")}
    check_page(Client().get("/wechat/callback/site/", query), 400, "state_invalid")
    assert wechat.calls(EXCHANGE) == []


def test_page_is_shown_anew_before_its_state_ends(browser: Browser) -> None:
    first = browser.client.get("/wechat/embed/site/")
    assert first["Refresh"] == "570"
    assert frame_of(first) != frame_of(browser.client.get("/wechat/embed/site/"))


def test_person_who_has_refused_can_start_again(browser: Browser) -> None:
    response = browser.client.get("/wechat/embed/site/", {"next": "/deliveries/?a=1&b=2"})
    assert 'href="/wechat/embed/site/?next=%2Fdeliveries%2F%3Fa%3D1%26b%3D2"' in (
        response.content.decode()
    )


def test_open_redirect_is_refused(browser: Browser) -> None:
    state = embed(browser, next="https://evil.example/")["state"]
    assert browser.back(state, alias="site")["Location"] == "/orders/"


def test_page_and_frame_speak_the_language_of_the_browser(browser: Browser) -> None:
    headers = {"Accept-Language": "zh-CN"}
    response = browser.client.get("/wechat/embed/site/", headers=headers)
    assert "扫码" in response.content.decode()
    assert "&lang=cn&" in frame_of(response)


@pytest.mark.parametrize("alias", ["default", "account", "native", "nobody"])
def test_app_that_is_no_website_has_no_page(browser: Browser, alias: str) -> None:
    response = browser.client.get(f"/wechat/embed/{alias}/")
    text = check_page(response, 400, "unknown_app")
    assert "Try again" not in text
    check_framable(response)


def test_limit_is_a_page_that_can_be_shown_in_the_same_place(
    browser: Browser, settings: Any
) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": "1/min"}
    embed(browser)
    response = browser.client.get("/wechat/embed/site/?next=/deliveries/")
    text = check_page(response, 429, "rate_limited")
    assert 'href="/wechat/embed/site/?next=/deliveries/"' in text
    check_framable(response)


# Inside a frame


@pytest.mark.parametrize("dest", ["iframe", "frame"])
def test_callback_in_a_frame_spends_nothing_and_goes_on_in_the_whole_window(
    browser: Browser, wechat: WechatSimulator, dest: str
) -> None:
    state, code = embed(browser, next="/deliveries/")["state"], browser.code("site")
    query = {"state": state, "code": code}
    response = browser.client.get("/wechat/callback/site/", query, headers={"Sec-Fetch-Dest": dest})
    text = response.content.decode()
    assert response.status_code == 200
    assert f'href="/wechat/callback/site/?state={state}&amp;code={code}" target="_top"' in text
    assert "whole_window.js" in text
    check_framable(response)
    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "no-referrer"
    assert wechat.calls(EXCHANGE) == []
    assert browser.user_id is None
    assert browser.back(state, code, "site")["Location"] == "/deliveries/"


@pytest.mark.parametrize("dest", ["document", "empty", "image"])
def test_callback_that_is_in_no_frame_is_the_usual_one(browser: Browser, dest: str) -> None:
    query = {"state": embed(browser)["state"], "code": browser.code("site")}
    headers = {"Sec-Fetch-Dest": dest}
    assert browser.client.get("/wechat/callback/site/", query, headers=headers).status_code == 302


def test_page_in_a_frame_goes_on_in_the_whole_window(browser: Browser) -> None:
    response = browser.client.get("/wechat/scan/?next=/deliveries/", headers=FRAMED)
    assert 'href="/wechat/scan/?next=/deliveries/" target="_top"' in response.content.decode()


def test_way_to_wechat_is_open_in_a_frame(browser: Browser) -> None:
    assert browser.client.get("/wechat/start/site/", headers=FRAMED).status_code == 302
    frame_of(browser.client.get("/wechat/embed/site/", headers=FRAMED))


def test_address_of_another_site_is_not_linked_in_a_frame(browser: Browser) -> None:
    response = browser.client.get('/wechat/callback/site/?next="><a href=//evil>', headers=FRAMED)
    assert "<a href=//evil" not in response.content.decode()


# HEAD


@pytest.mark.parametrize(
    "path", ["start/site/", "embed/site/", "scan/", f"scan/open/{'0' * 30}/", "scan/state/"]
)
def test_head_is_answered_as_get_without_a_body(browser: Browser, path: str) -> None:
    response = browser.client.head(f"/wechat/{path}")
    assert response.status_code == browser.client.get(f"/wechat/{path}").status_code
    assert response.content == b""


def test_head_spends_no_code(browser: Browser, wechat: WechatSimulator) -> None:
    state, code = browser.start("site")["state"], browser.code("site")
    query = {"state": state, "code": code}
    response = browser.client.head("/wechat/callback/site/", query)
    assert (response.status_code, response["Allow"]) == (405, "GET")
    assert wechat.calls(EXCHANGE) == []
    assert browser.back(state, code, "site").status_code == 302
