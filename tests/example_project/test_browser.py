"""The page in a real browser: the whole story by clicks, at two widths, and all the troubles."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.example_project.processes import Demo, skip_without, started_demo
from tests.run import BROWSERS

try:
    from playwright.sync_api import Page, Route, expect, sync_playwright
except ImportError:
    sync_playwright = None

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("example")]

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
WAIT = 15_000  # ms; a sign-in that WeChat does not answer takes 5 s
WIDTHS = pytest.mark.parametrize(
    ("width", "height", "scheme"), [(1280, 900, "light"), (390, 844, "dark")], ids=["1280", "390"]
)


@dataclass
class Phone:
    """The page in a browser, and what went wrong in it unseen."""

    page: "Page"
    demo: Demo
    shots: Path
    name: str
    faults: list[str] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)

    def be(self, person: str) -> None:
        """Let this person hold the phone."""
        self.page.fill("#own", person)

    def open(self, app: str) -> None:
        """Open this mini program."""
        self.page.check(f"#app-{app}", force=True)

    def press(self, name: str) -> None:
        """Press a button on the phone, and wait until it is done."""
        self.page.click(f"#screen [data-do={name}]")
        expect(self.page.locator("#screen[aria-busy=false]")).to_be_visible(timeout=WAIT)

    def look(self, sheet: str) -> None:
        """Open a sheet, and wait for what it shows."""
        self.page.click(f"#screen [data-do=open-{sheet}]")
        expect(self.page.locator("#sheet")).to_be_visible()
        expect(self.page.locator("#screen[aria-busy=false]")).to_be_visible(timeout=WAIT)

    def tap(self, name: str) -> None:
        """Press a button of the open sheet, and wait until it is done."""
        self.page.click(f"#sheet [data-do={name}]")
        expect(self.page.locator("#screen[aria-busy=false]")).to_be_visible(timeout=WAIT)

    def says(self, text: str | re.Pattern[str]) -> None:
        """Check what the phone says of the last button."""
        expect(self.page.locator("#toast")).to_have_text(text)

    def shows(self, *answers: str) -> None:
        """Check the newest group on the timeline: ``method path status`` of each answer."""
        expect(self.page.locator("#timeline article").first.locator("summary")).to_have_text(
            [line_of(answer) for answer in answers]
        )

    def error(self) -> str:
        """Return the last error on the timeline: code, sentence, what to do."""
        return self.page.locator("#timeline article").first.locator(".error").last.inner_text()

    def shoot_phone(self, moment: str) -> None:
        """Keep a picture of the phone alone."""
        path = self.shots / f"{self.name}-{moment}.png"
        self.page.locator(".device").screenshot(path=path, animations="disabled")

    def shoot(self, moment: str) -> None:
        """Keep a picture."""
        path = self.shots / f"{self.name}-{moment}.png"
        self.page.screenshot(path=path, full_page=True, animations="disabled")


@contextmanager
def opened(
    demo: Demo, shots: Path, *, width: int = 1280, height: int = 900, scheme: str = "light"
) -> Iterator[Phone]:
    """Open the page in a fresh browser, and check at the end that it was quiet."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if sync_playwright is None:
        skip_without("playwright", "the Python package is not installed")
    if program is None:
        skip_without("Chromium", "no such program")
    shots = Path(os.environ.get("WXAUTH_SCREENSHOTS") or shots)
    shots.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-US"
        )
        page = context.new_page()
        page.set_default_timeout(WAIT)
        phone = Phone(page, demo, shots, f"{width}-{scheme}")
        page.on("pageerror", lambda error: phone.faults.append(str(error)))
        page.on("console", lambda message: phone.faults.append(message.text))
        page.on("request", lambda request: phone.origins.add(origin_of(request.url)))
        page.goto(f"{demo.url}/")
        expect(page.locator("#screen [data-do=login]")).to_be_visible()
        yield phone
        browser.close()
    # The browser itself notes each answer of 400 and more; those are the story.
    assert [fault for fault in phone.faults if "Failed to load resource" not in fault] == []


def line_of(answer: str) -> re.Pattern[str]:
    """Return what the timeline's line of ``method path status`` looks like."""
    request, _, status = answer.rpartition(" ")
    return re.compile(rf" {re.escape(request)}(\?\S.*)? {status}( \d+ ms)?\s*$")


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def seat_of(phone: Phone) -> dict[str, Any]:
    """Return what the page remembers of the person in the first mini program."""
    kept = json.loads(phone.page.evaluate("sessionStorage.getItem('wxauth-demo')"))
    return kept["seats"][f"{kept['choice']['own']}|mall"]


def hides(phone: Phone, *secrets: str) -> None:
    """Check that none of these stands anywhere on the page."""
    shown = phone.page.content()
    for secret in secrets:
        assert len(secret) > 20
        assert secret not in shown


def fits(phone: Phone) -> bool:
    """Tell whether nothing sticks out of the page at its right."""
    return bool(phone.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@WIDTHS
def test_whole_story_can_be_clicked_through(
    demo: Demo, tmp_path: Path, width: int, height: int, scheme: str
) -> None:
    with opened(demo, tmp_path, width=width, height=height, scheme=scheme) as phone:
        phone.shoot("1-signed-out")
        assert fits(phone)
        phone.be(f"Ann {width}")
        inviter = register_without_profile(phone)
        phone.be(f"Ben {width}")
        register_with_profile(phone, nickname=f"Ben {width}", inviter=inviter)
        bind_the_phone(phone)
        use_the_token(phone)
        change_the_nickname(phone)
        phone.shoot("4-phone-bound")
        assert fits(phone)
        sign_out_everywhere_from_the_other_app(phone)
        sign_in_silently_and_out(phone)
        phone.shoot("5-signed-out-again")
        assert phone.origins == {demo.url, demo.simulator}


def register_without_profile(phone: Phone) -> str:
    """Register somebody who will have invited the next one; return the uid."""
    phone.press("login")
    phone.press("registerSimple")
    phone.says("Registered and signed in.")
    phone.shows("POST /api/register_simple 201", "GET /api/me 200")
    return phone.page.locator(".person small").inner_text().removeprefix("uid ")


def register_with_profile(phone: Phone, *, nickname: str, inviter: str) -> None:
    """See "not registered", and register with what WeChat tells and who invited."""
    page = phone.page
    phone.press("login")
    phone.shows("GET /_sim/login 200", "POST /api/login 404", "GET /sns/jscode2session 200")
    assert "not_registered" in phone.error()
    expect(page.locator("#timeline article").first).to_contain_text('"not_registered"')
    expect(page.locator("#timeline article").first).to_contain_text('"ticket"')
    expect(page.locator("#referrer")).to_have_value(inviter)
    phone.shoot("2-not-registered")
    hides(phone, seat_of(phone)["ticket"])
    phone.press("registerComplex")
    phone.shows("GET /_sim/userinfo 200", "POST /api/register_complex 201", "GET /api/me 200")
    expect(page.locator(".person strong")).to_have_text(nickname)
    expect(page.locator(".facts div").nth(1)).to_have_text(f"Invited by{inviter}")


def bind_the_phone(phone: Phone) -> None:
    """See the host's own view refuse, bind the phone, and see it open."""
    phone.press("orders")
    phone.shows("GET /sample/orders 403")
    phone.says("Please bind your phone number first.")
    phone.shoot("3-signed-in")
    phone.press("bindPhone")
    phone.says("Phone number bound.")
    number = phone.page.locator(".facts div").first
    expect(number).to_have_text(re.compile(r"^Phone\+86\d+\*{4}\d{4}$"))
    phone.press("orders")
    phone.says("2 orders.")


def use_the_token(phone: Phone) -> None:
    """Check the token, refresh it, use the new one."""
    before = seat_of(phone)
    phone.press("check")
    phone.says(re.compile(r"The token is good for another \d+ s\."))
    phone.press("refresh")
    phone.shows("POST /api/refresh_token 200")
    after = seat_of(phone)
    assert before["access"] != after["access"]
    assert before["refresh"] != after["refresh"]
    hides(phone, before["access"], before["refresh"], after["access"], after["refresh"])
    phone.press("reload")
    phone.shows("GET /api/me 200")


def change_the_nickname(phone: Phone) -> None:
    """Write another name with the keyboard."""
    phone.page.click(".person [data-do=rename]")
    phone.page.fill("#nickname", "Benjamin 本")
    phone.page.keyboard.press("Enter")
    phone.says("Nickname changed.")
    phone.shows("PATCH /api/me 200")
    expect(phone.page.locator(".person strong")).to_have_text("Benjamin 本")


def sign_out_everywhere_from_the_other_app(phone: Phone) -> None:
    """The other mini program knows the person; signing out there ends the first token too."""
    uid = phone.page.locator(".person small").inner_text()
    phone.open("cafe")
    phone.press("login")
    phone.says("Signed in.")
    expect(phone.page.locator(".person small")).to_have_text(uid)
    phone.press("logoutAll")
    phone.says("Signed out on every device.")
    phone.open("mall")
    phone.press("check")
    phone.shows("POST /api/check_token 401")
    expect(phone.page.locator("#screen[data-state=out]")).to_be_visible()


def sign_in_silently_and_out(phone: Phone) -> None:
    """Come in with one button and leave with another."""
    phone.press("authorize")
    phone.says("Signed in.")
    phone.press("logout")
    phone.shows("POST /api/logout 204")
    expect(phone.page.locator(".steps li").last).to_have_class("done")


def test_page_speaks_chinese_and_tells_the_server(demo: Demo, tmp_path: Path) -> None:
    with opened(demo, tmp_path, width=390, height=844) as phone:
        page = phone.page
        phone.be("小雨")
        phone.press("login")
        page.click("#language")
        expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
        expect(page.locator("#screen h3")).to_have_text("很高兴认识你")
        phone.press("registerComplex")
        phone.says("已注册并登录。")
        expect(page.locator("#timeline article").first).to_contain_text("Accept-Language: zh-Hans")
        assert page.get_attribute("#readme", "href") == "/readme?lang=zh"
        phone.shoot("6-chinese")
        assert fits(phone)
        page.click("[data-do=account]")
        expect(page.locator("h2#phone-title")).to_have_text("账号与安全")
        phone.look("friends")
        phone.shoot("8-chinese-friends")
        assert not re.search("(entry|group|friends|title)\\.", page.locator(".device").inner_text())
        page.reload()
        expect(page.locator("h2#phone-title")).to_have_text("茶叶商城")
        expect(page.locator(".person strong")).to_have_text("小雨")


TROUBLES = {
    "busy": ("POST /api/login 503", "wechat_unavailable"),
    "used": ("POST /api/login 400", "wechat_code_invalid"),
    "blocked": ("POST /api/login 403", "wechat_user_blocked"),
    "limit": ("POST /api/login 429", "wechat_rate_limited"),
    "html": ("POST /api/login 503", "wechat_unavailable"),
    "timeout": ("POST /api/login 504", "wechat_timeout"),
}


def test_each_trouble_of_wechat_is_shown_once_and_then_over(demo: Demo, tmp_path: Path) -> None:
    with opened(demo, tmp_path) as phone:
        phone.be("Cyd")
        for trouble, (answer, code) in TROUBLES.items():
            phone.page.select_option("#trouble", trouble)
            phone.press("login")
            summaries = phone.page.locator("#timeline article").first.locator("summary")
            expect(summaries.nth(1)).to_have_text(line_of(answer))
            error = phone.page.locator("#timeline article").first.locator(".error").first
            expect(error).to_contain_text(code)
            expect(error).to_contain_text("what to do")
            expect(phone.page.locator("#trouble")).to_have_value("none")
            expect(phone.page.locator("#toast.bad")).not_to_be_empty()
            if trouble == "limit":
                expect(error).to_contain_text("Retry after 60 s")
                phone.shoot("7-trouble")
        phone.press("authorize")
        phone.says("Registered and signed in.")
        trouble_at_the_phone_number(phone)


def trouble_at_the_phone_number(phone: Phone) -> None:
    """The trouble waits for a button that needs WeChat, and leaves the phone unbound."""
    error = phone.page.locator("#timeline article").first.locator(".error").first
    phone.page.select_option("#trouble", "used")
    phone.press("check")
    expect(phone.page.locator("#trouble")).to_have_value("used")
    phone.press("bindPhone")
    expect(error).to_contain_text("wechat_phone_code_invalid")
    expect(phone.page.locator(".facts div").first).to_have_text("Phonenot bound")
    phone.press("bindPhone")
    phone.says("Phone number bound.")


def test_silent_servers_and_foreign_answers_are_shown_and_survived(
    demo: Demo, tmp_path: Path
) -> None:
    def bad_gateway(route: "Route") -> None:
        route.fulfill(status=502, content_type="text/html", body="<html><h1>502</h1></html>")

    def limited(route: "Route") -> None:
        body = '{"code": "rate_limited", "detail": "Please wait.", "action": "wait"}'
        route.fulfill(
            status=429, content_type="application/json", body=body, headers={"Retry-After": "30"}
        )

    with opened(demo, tmp_path) as phone:
        page = phone.page
        phone.be("Eve")
        page.route("**/_sim/**", lambda route: route.abort())
        phone.press("login")
        phone.says(re.compile("The simulator does not answer"))
        expect(page.locator("#timeline article").first).to_contain_text("No answer")
        page.unroute("**/_sim/**")

        page.route("**/api/login", lambda route: route.abort())
        phone.press("login")
        phone.says(re.compile("The site does not answer"))
        page.unroute("**/api/login")

        page.route("**/api/login", bad_gateway)
        phone.press("login")
        phone.says("HTTP 502")
        expect(page.locator("#timeline article").first).to_contain_text("<h1>502</h1>")
        page.unroute("**/api/login")

        page.route("**/api/login", limited)
        phone.press("login")
        phone.says("Please wait.")
        assert "Retry after 30 s" in phone.error()
        page.unroute("**/api/login")

        phone.press("login")
        phone.says("Not registered yet: 404 with a ticket.")


def test_keyboard_alone_is_enough(demo: Demo, tmp_path: Path) -> None:
    with opened(demo, tmp_path) as phone:
        page = phone.page
        page.focus("#own")
        page.keyboard.type("Gil")
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.dataset.do") == "login":
                break
        page.keyboard.press("Enter")
        expect(page.locator("[data-do=registerComplex]")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("[data-do=bindPhone]")).to_be_focused()
        page.keyboard.press("Enter")
        phone.says("Phone number bound.")
        page.focus("[data-do=account]")
        page.keyboard.press("Enter")
        expect(page.locator("[data-do=open-phone]")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#sheet")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("[data-do=open-phone]")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.locator("[data-do=account]")).to_be_focused()


def test_without_the_simulator_the_page_says_what_it_needs(tmp_path: Path) -> None:
    with (
        started_demo(tmp_path, WXAUTH_API_BASE_URL="http://127.0.0.1:9") as demo,
        opened(demo, tmp_path) as phone,
    ):
        expect(phone.page.locator("#notice")).to_contain_text("needs the simulator")
        phone.page.click("#language")
        expect(phone.page.locator("#notice")).to_contain_text("需要模拟器")
        phone.press("login")
        phone.says(re.compile("模拟器没有应答"))
