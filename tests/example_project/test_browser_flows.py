"""Web authorisation in a real browser: there, back, and what goes wrong, at two widths."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from urllib.request import Request, urlopen

import pytest

from tests.example_project.processes import Demo, skip_without
from tests.example_project.test_browser import ARGUMENTS, WAIT, origin_of
from tests.run import BROWSERS

try:
    from playwright.sync_api import FrameLocator, Page, expect, sync_playwright
except ImportError:
    sync_playwright = None

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("example")]

# Notes of the browser: each answer of 400 and more, which is the story, and that somebody has typed
# before the admin's page could put the cursor into its first field.
NO_FAULTS = ("Failed to load resource", "Autofocus processing was blocked")
SIZES = {"1280": (1280, 900, "light"), "390": (390, 844, "dark")}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if sync_playwright is None:
        skip_without("playwright", "the Python package is not installed")
    if program is None:
        skip_without("Chromium", "no such program")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


class Visitor:
    """Somebody at the page with the flows."""

    def __init__(self, page: "Page", demo: Demo, shots: Path, name: str) -> None:
        self.page, self.demo, self.shots, self.name = page, demo, shots, name

    def go(self, way: str) -> None:
        """Press one of the ways, which leads to WeChat's page."""
        self.page.goto(f"{self.demo.url}/browser")
        self.page.click(f"#{way}")
        expect(self.page.locator("h1")).to_have_text(re.compile("Authorise|Scan to sign in"))

    def allow(self, way: str = "once") -> None:
        """Say who one is, and allow."""
        self.page.fill("[name=_sim_user]", self.name)
        self.page.select_option("[name=_sim_way]", way)
        self.page.click("button[value=allow]")

    def sign_in(self, by: str = "account") -> str:
        self.go(by)
        self.allow()
        return self.uid()

    def uid(self) -> str:
        """Return as whom one is signed in."""
        user = self.page.locator("#user")
        expect(user).to_be_visible()
        assert origin_of(self.page.url) == self.demo.url
        return user.get_attribute("data-uid") or ""

    def shoot(self, name: str) -> None:
        width = (self.page.viewport_size or {}).get("width")
        self.page.screenshot(path=self.shots / f"{width}-{name}.png", full_page=True)
        wide = "document.documentElement.scrollWidth <= window.innerWidth"
        assert self.page.evaluate(wide), "something sticks out at the right"


@pytest.fixture(params=SIZES)
def visitor(
    chromium: Any, demo: Demo, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Visitor]:
    width, height, scheme = SIZES[request.param]
    shots = Path(os.environ.get("WXAUTH_SCREENSHOTS") or tmp_path)
    shots.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-US"
    )
    page = context.new_page()
    page.set_default_timeout(WAIT)
    faults: list[str] = []
    origins: set[str] = set()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text))
    page.on("request", lambda asked: origins.add(origin_of(asked.url)))
    name = f"{request.node.originalname}-{request.param}"
    yield Visitor(page, demo, shots, name)
    context.close()
    assert [fault for fault in faults if not fault.startswith(NO_FAULTS)] == []
    assert origins <= {demo.url, elsewhere(demo), demo.simulator}


def elsewhere(demo: Demo) -> str:
    """Return the site's address by another name: to browsers, WeChat's pages are foreign there."""
    return demo.url.replace("127.0.0.1", "localhost")


def test_account_asks_for_consent_and_signs_in(visitor: Visitor) -> None:
    visitor.go("account")
    visitor.shoot("consent")
    visitor.allow()
    visitor.uid()
    expect(visitor.page.locator("#user")).to_have_text(visitor.name)
    picture = visitor.page.locator("#user img")
    assert picture.evaluate("async (image) => (await image.decode(), image.naturalWidth)") == 132
    visitor.shoot("signed-in")


def test_page_of_accounts_wants_its_fragment(visitor: Visitor) -> None:
    visitor.go("account")
    address = visitor.page.url
    for end in ("", "#wechat_redirect=1"):
        visitor.page.goto("about:blank")
        visitor.page.goto(address.replace("#wechat_redirect", end))
        alert = visitor.page.get_by_role("alert")
        expect(alert).to_have_text("The address does not end in #wechat_redirect.")
        expect(visitor.page.locator("button")).to_have_count(0)


def test_all_ways_lead_to_one_user(visitor: Visitor) -> None:
    uids = {visitor.sign_in(way) for way in ("account", "site")}
    visitor.go("silent")
    visitor.allow()
    assert {*uids, visitor.uid()} == uids
    assert len(uids) == 1


def test_refusal_stays_at_wechat_and_leaves_nobody_signed_in(visitor: Visitor) -> None:
    visitor.go("site")
    visitor.page.click("button[value=refuse]")
    expect(visitor.page.locator("h1")).to_have_text("Refused")
    visitor.page.goto(f"{visitor.demo.url}/browser")
    expect(visitor.page.locator("#nobody")).to_be_visible()


@pytest.mark.parametrize("way", ["twice", "two_codes"])
def test_callback_that_comes_twice_ends_signed_in(visitor: Visitor, way: str) -> None:
    visitor.go("account")
    visitor.allow(way)
    visitor.uid()


def test_back_button_ends_signed_in(visitor: Visitor) -> None:
    visitor.sign_in()
    visitor.page.go_back()
    visitor.page.reload()
    visitor.page.goto(f"{visitor.demo.url}/browser")
    visitor.uid()


def test_snapshot_visitor_is_told_to_leave_the_preview(visitor: Visitor) -> None:
    visitor.go("account")
    visitor.allow("snapshot")
    expect(visitor.page.get_by_role("alert")).to_contain_text("Please leave the preview")
    expect(visitor.page.locator(".code")).to_have_text("wechat_snapshot_user")
    visitor.shoot("snapshot")
    visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("Enter")  # "Try again" is reached without a mouse
    expect(visitor.page.locator("h1")).to_have_text("Authorise")


def test_ticket_becomes_tokens_and_leaves_the_address(visitor: Visitor) -> None:
    visitor.go("ticket")
    visitor.allow()
    expect(visitor.page.locator("#answer")).to_have_text(re.compile(r"^200 uid \d+$"))
    assert "ticket" not in visitor.page.url
    expect(visitor.page.locator("#nobody")).to_be_visible()


def test_ticket_that_somebody_has_sent_is_left_alone(visitor: Visitor) -> None:
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.page.goto(f"{visitor.demo.url}/browser?asked=x&wxauth_ticket=sent-by-mallory")
    expect(visitor.page.locator("#answer")).to_contain_text("has not asked")
    assert not [url for url in asked if "oauth/ticket" in url]


def test_mobile_app_signs_in(visitor: Visitor) -> None:
    visitor.page.goto(f"{visitor.demo.url}/browser")
    visitor.page.click("#native")
    expect(visitor.page.locator("#answer")).to_have_text(re.compile(r"^20[01] uid \d+$"))


def test_website_is_linked_and_the_browser_signed_out(visitor: Visitor) -> None:
    visitor.sign_in()
    visitor.page.click("#bind")
    visitor.allow()
    visitor.uid()
    expect(visitor.page.locator("main li code")).to_have_count(2)
    visitor.page.click("#sign-out")
    expect(visitor.page.locator("#nobody")).to_be_visible()


def test_forged_way_back_is_a_page_in_the_language_of_the_browser(visitor: Visitor) -> None:
    browser = visitor.page.context.browser
    assert browser is not None
    chinese = browser.new_context(locale="zh-CN", viewport=visitor.page.viewport_size)
    visitor.page = chinese.new_page()
    visitor.page.goto(f"{visitor.demo.url}/wechat/callback/account/?code=x&state=forged")
    expect(visitor.page.locator("h1")).to_have_text("登录未成功")
    visitor.shoot("error-zh")
    chinese.close()


class Phone:
    """A phone with the mini program, over HTTP."""

    def __init__(self, demo: Demo, name: str) -> None:
        self.demo = demo
        query = urlencode({"user": name, "appid": "wxdemo00000000mall"})
        code = self.ask(f"{demo.simulator}/_sim/login?{query}")["code"]
        signed_in = self.ask(f"{demo.url}/api/authorize", {"code": code})
        self.access, self.uid = signed_in["access"], str(signed_in["uid"])

    def say(self, step: str, scan: str) -> Any:
        return self.ask(f"{self.demo.url}/api/scan/{step}", {"scan": scan}, self.access)

    @staticmethod
    def ask(url: str, body: Any = None, access: str = "") -> Any:
        headers = {"Content-Type": "application/json"}
        if access:
            headers["Authorization"] = f"Bearer {access}"
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(url, data, headers), timeout=10) as response:
            content = response.read()
        return json.loads(content) if content else None


@pytest.mark.parametrize("answer", ["confirm", "refuse"])
def test_code_for_the_mini_program_signs_in(visitor: Visitor, answer: str) -> None:
    phone = Phone(visitor.demo, visitor.name)
    visitor.page.goto(f"{visitor.demo.url}/browser")
    visitor.page.click("#scan")
    state = visitor.page.locator("#state")
    expect(state).to_have_text("Waiting for your phone.")
    expect(visitor.page.locator("#again")).to_be_hidden()
    visitor.shoot("scan")
    scan = visitor.page.locator("[name=scan]").input_value()
    assert phone.say("look", scan)["ip_address"] == "127.0.0.1"
    expect(state).to_have_text("Scanned. Please confirm on your phone.")
    phone.say(answer, scan)
    if answer == "confirm":
        assert visitor.uid() == phone.uid
    else:
        expect(state).to_have_text("You have refused on your phone.")
        expect(visitor.page.locator("#again")).to_be_focused()
        visitor.page.keyboard.press("Enter")
        expect(state).to_have_text("Waiting for your phone.")


@pytest.mark.parametrize("fault", ["no connection", 429, 503])
def test_code_signs_in_when_the_fault_is_over(visitor: Visitor, fault: Any) -> None:
    def fail(route: Any) -> None:
        route.abort() if fault == "no connection" else route.fulfill(status=fault, body="{}")

    phone = Phone(visitor.demo, visitor.name)
    visitor.page.goto(f"{visitor.demo.url}/browser")
    visitor.page.click("#scan")
    for path in ("state", "collect"):
        visitor.page.route(f"**/scan/{path}/**", fail, times=1)
    scan = visitor.page.locator("[name=scan]").input_value()
    phone.say("look", scan)
    phone.say("confirm", scan)
    assert visitor.uid() == phone.uid


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_code_is_scanned_by_the_phone_in_the_next_tab(visitor: Visitor, answer: str) -> None:
    visitor.page.goto(f"{visitor.demo.url}/browser")
    visitor.page.click("#scan")
    scan(visitor, answer, shot="scanner")
    if answer == "yes":
        visitor.uid()
    else:
        expect(visitor.page.locator("#state")).to_have_text("You have refused on your phone.")


def test_account_with_a_password_is_linked_to_wechat_by_the_code(visitor: Visitor) -> None:
    """The admin of the demo. Whoever comes second finds that another WeChat is linked."""
    page = visitor.page
    page.goto(f"{visitor.demo.url}/wechat/scan/bind/")
    expect(page.locator(".code")).to_have_text("not_authenticated")
    page.click(".button")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", visitor.demo.password)
    page.click("[type=submit]")
    expect(page.locator("h1")).to_have_text("Link WeChat")
    expect(page.locator("#state")).to_have_text("Waiting for your phone.")
    visitor.shoot("scan-bind")
    page.goto(f"{visitor.demo.url}/browser")
    is_linked = page.locator("main li code").count() > 0
    page.click("#scan-bind")
    scan(visitor, "yes", shot="scanner-bind")
    if is_linked:
        expect(page.locator("#state")).to_have_text("That did not work. Your phone says why.")
        visitor.shoot("scan-bind-failed")
        return
    visitor.uid()
    expect(page.locator("main li code")).to_have_count(1)


def scan(visitor: Visitor, answer: str, *, shot: str) -> None:
    """Scan the code that is shown with the phone that the example plays, and answer."""
    with visitor.page.expect_popup() as opened:
        visitor.page.click("#play")
    phone = Visitor(opened.value, visitor.demo, visitor.shots, visitor.name)
    phone.page.fill("[name=name]", visitor.name)
    phone.page.click("#look button")
    expect(phone.page.locator("#browser")).to_contain_text("Mozilla")
    phone.shoot(shot)
    phone.page.click(f"#{answer}")
    expect(phone.page.locator("#answer")).to_have_text(re.compile("204|409"))
    phone.page.close()


EMBED = "/wechat/embed/site/?next=/browser"


def fill_in(frame: "FrameLocator", visitor: Visitor, way: str = "once") -> None:
    """Say who one is, inside the frame."""
    frame.locator("[name=_sim_user]").fill(visitor.name)
    frame.locator("[name=_sim_way]").select_option(way)


def signed_in(visitor: Visitor) -> None:
    """Check that the whole window came back, signed in: locators look into no frame."""
    expect(visitor.page.locator("#user")).to_have_text(visitor.name)
    assert urlsplit(visitor.page.url).path == "/browser"


def test_code_inside_a_page_signs_in(visitor: Visitor) -> None:
    visitor.page.goto(f"{visitor.demo.url}/browser")
    visitor.page.click("#embed")
    frame = visitor.page.frame_locator("iframe")
    expect(frame.locator("h1")).to_have_text("Scan to sign in")
    visitor.shoot("embed")
    fill_in(frame, visitor)
    frame.locator("button[value=allow]").click()
    signed_in(visitor)


@pytest.mark.parametrize("way", ["once", "twice", "two_codes"])
def test_code_inside_a_page_of_the_host_signs_in(visitor: Visitor, way: str) -> None:
    visitor.page.goto(f"{elsewhere(visitor.demo)}/browser")
    visitor.page.click("#framed summary")
    frame = visitor.page.frame_locator("#framed iframe").frame_locator("iframe")
    fill_in(frame, visitor, way)
    visitor.shoot("embed-in-a-page")
    frame.locator("button[value=allow]").click()
    signed_in(visitor)


def test_refusal_inside_a_page_stays_there_and_can_start_again(visitor: Visitor) -> None:
    visitor.page.goto(f"{visitor.demo.url}/browser")
    visitor.page.click("#framed summary")
    own = visitor.page.frame_locator("#framed iframe")
    wechat = own.frame_locator("iframe")
    wechat.locator("button[value=refuse]").click()
    expect(wechat.locator("h1")).to_have_text("Refused")
    visitor.shoot("embed-refused")
    own.get_by_role("link", name="Show a new code").click()
    expect(wechat.locator("h1")).to_have_text("Scan to sign in")
    expect(visitor.page.locator("#nobody")).to_be_visible()
    fill_in(wechat, visitor)
    wechat.locator("button[value=allow]").click()
    signed_in(visitor)


def control(demo: Demo, name: str, **params: str) -> None:
    Phone.ask(f"{demo.simulator}/_sim/{name}?{urlencode(params)}")


def test_frame_that_nobody_touches_moves_the_whole_window(visitor: Visitor) -> None:
    visitor.page.goto(f"{elsewhere(visitor.demo)}/browser")
    control(visitor.demo, "approve_as", user=visitor.name)
    try:
        visitor.page.goto(f"{elsewhere(visitor.demo)}{EMBED}", wait_until="commit")
        signed_in(visitor)
    finally:
        control(visitor.demo, "approve_as")


def test_wechat_on_the_same_computer_spares_the_scan(visitor: Visitor) -> None:
    control(visitor.demo, "desktop", user=visitor.name)
    try:
        visitor.page.goto(f"{visitor.demo.url}{EMBED}")
        frame = visitor.page.frame_locator("iframe")
        expect(frame.locator("button[value=fast]")).to_have_text(f"Continue as {visitor.name}")
        visitor.shoot("embed-fast")
        frame.locator("button[value=fast]").click()
        signed_in(visitor)
    finally:
        control(visitor.demo, "desktop")


USE_SCRIPT = """(options) => new WxLogin({
  ...options, id: "code", scope: "snsapi_login", style: "black", stylelite: 1, color_scheme: "auto",
  onReady: (ready) => { document.getElementById("ready").textContent = `ready: ${ready}`; },
})"""


@pytest.mark.parametrize("way", ["once", "two_codes"])
@pytest.mark.parametrize("stays", [True, False])
def test_page_with_wechats_script_ends_signed_in_in_the_whole_window(
    visitor: Visitor, stays: bool, way: str
) -> None:
    # The cookie and the state of a sign-in that begins here.
    visitor.page.goto(f"{elsewhere(visitor.demo)}{EMBED}")
    address = visitor.page.locator("iframe").get_attribute("src") or ""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    options = {
        "appid": asked["appid"],
        "redirect_uri": quote(asked["redirect_uri"], safe=""),
        "state": asked["state"],
        "self_redirect": stays,
    }
    visitor.page.goto(f"{elsewhere(visitor.demo)}/admin/login/")  # a page without a policy
    visitor.page.set_content('<div id="code"></div><p id="ready"></p>')
    script = f"{visitor.demo.simulator}/connect/zh_CN/htmledition/js/wxLogin.js"
    visitor.page.add_script_tag(url=script)
    visitor.page.evaluate(USE_SCRIPT, options)
    expect(visitor.page.locator("#ready")).to_have_text("ready: true")
    frame = visitor.page.frame_locator("#code iframe")
    fill_in(frame, visitor, way)
    frame.locator("button[value=allow]").click()
    signed_in(visitor)


def test_framed_way_back_without_scripts_is_a_link_out_of_the_frame(visitor: Visitor) -> None:
    browser = visitor.page.context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False, viewport=visitor.page.viewport_size)
    page = visitor.page = plain.new_page()
    own = f"{visitor.demo.url}/own-page"
    html = f"<!doctype html><iframe src='{visitor.demo.url}/wechat/callback/site/?code=x'></iframe>"
    page.route(own, lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(own)
    page.frame_locator("iframe").get_by_role("link", name="Continue").click()
    expect(page.locator(".code")).to_have_text("state_invalid")
    plain.close()


def test_code_inside_a_page_is_chinese_where_the_browser_is(visitor: Visitor) -> None:
    browser = visitor.page.context.browser
    assert browser is not None
    chinese = browser.new_context(locale="zh-CN", viewport=visitor.page.viewport_size)
    visitor.page = chinese.new_page()
    visitor.page.goto(f"{visitor.demo.url}{EMBED}")
    expect(visitor.page.frame_locator("iframe").locator("h1")).to_have_text("扫码登录")
    visitor.shoot("embed-zh")
    chinese.close()


def test_admin_offers_the_code(visitor: Visitor) -> None:
    visitor.page.goto(f"{visitor.demo.url}/admin/")
    visitor.page.click("text=Scan to sign in")
    expect(visitor.page.locator("#state")).to_have_text("Waiting for your phone.")
    assert visitor.page.locator("[name=next]").input_value() == "/admin/"
