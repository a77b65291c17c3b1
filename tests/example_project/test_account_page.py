"""Account & security on the page, in a real browser: a life of one account, at two widths."""

import json
import re
from pathlib import Path

import pytest

from tests.example_project.processes import Demo
from tests.example_project.test_browser import (
    WIDTHS,
    Phone,
    expect,
    fits,
    hides,
    line_of,
    opened,
    seat_of,
)

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("account-page")]

PASSWORD, BETTER = "teapot-by-the-window", "kettle-on-the-stove"


@WIDTHS
def test_account_can_be_lived_with(
    demo: Demo, tmp_path: Path, width: int, height: int, scheme: str
) -> None:
    with opened(demo, tmp_path, width=width, height=height, scheme=scheme) as phone:
        phone.be(f"Ivy {width}")
        register_by_text_message(phone)
        set_a_password(phone)
        find_the_conflict_and_merge(phone)
        phone.page.click("[data-do=account]")
        phone.shoot_phone("b3-account")
        assert fits(phone)
        link_and_unlink(phone)
        look_at_the_devices(phone)
        invite_a_friend(phone)
        agree_and_take_it_back(phone)
        look_at_the_activity(phone)
        download_everything(phone)
        delete_the_account_and_come_back(phone)
        assert phone.origins == {demo.url, demo.simulator}


def wait_for_the_number(phone: Phone) -> None:
    """The field begins with the number of the phone in hand."""
    expect(phone.page.locator("#field-phone")).to_have_value(re.compile(r"^1740\d{7}$"))


def register_by_text_message(phone: Phone) -> None:
    """Ask for a code, read it on the phone, sign in: a new account without WeChat."""
    page = phone.page
    phone.look("sms")
    wait_for_the_number(phone)
    phone.tap("askCode")
    phone.says("Code sent: it is on this phone.")
    expect(page.locator("#message")).to_have_text(re.compile(r"Your code is \d{6}\."))
    phone.shoot("b1-text-message")
    assert fits(phone)
    page.click("#message [data-do=fill]")
    expect(page.locator("#field-sms_code")).to_have_value(re.compile(r"^\d{6}$"))
    expect(page.locator("#message")).to_be_hidden()
    phone.tap("askCode")
    phone.shows("POST /api/sms_code 429")
    phone.tap("loginSms")
    phone.shows("POST /api/login_sms 404")
    phone.says("This number has no account. The code stays good.")
    phone.tap("create")
    phone.says("Registered and signed in.")
    expect(page.locator("#sheet")).to_be_hidden()


def set_a_password(phone: Phone) -> None:
    """See a weak one refused; sign out, and in again with the good one."""
    page = phone.page
    page.click("[data-do=account]")
    phone.look("newPassword")
    page.fill("#field-password", "12345678")
    phone.tap("setPassword")
    phone.says(re.compile("too common"))
    page.fill("#field-password", PASSWORD)
    phone.tap("setPassword")
    phone.says("Password set.")
    assert PASSWORD not in page.content() + page.evaluate("sessionStorage.getItem('wxauth-demo')")
    expect(page.locator("[data-do=open-newPassword]")).to_be_focused()
    page.click("#back")
    phone.press("logout")
    phone.look("password")
    page.click("[data-do=open-forgot]")
    wait_for_the_number(phone)
    phone.tap("askCode")
    page.click("#message [data-do=fill]")
    page.fill("#field-password", BETTER)
    phone.tap("resetPassword")
    phone.says("New password set. Sign in with it.")
    wait_for_the_number(phone)
    page.fill("#field-password", PASSWORD)
    phone.tap("loginPassword")
    phone.says("Phone number or password is wrong.")
    page.fill("#field-password", BETTER)
    phone.tap("loginPassword")
    phone.says("Signed in.")
    phone.press("logout")


def find_the_conflict_and_merge(phone: Phone) -> None:
    """WeChat makes a second account; in one tap the number says whose the first one is."""
    page = phone.page
    phone.press("authorize")
    phone.says("Registered and signed in.")
    phone.press("logout")
    phone.press("phoneLogin")
    lines = page.locator("#timeline article").first.locator("summary")
    expect(lines.nth(2)).to_have_text(line_of("POST /api/phone_login 200"))
    expect(page.locator(".callout")).to_contain_text("belongs to another account")
    phone.look("merge")
    page.click("[data-do=by-password]")
    wait_for_the_number(phone)
    page.fill("#field-password", BETTER)
    phone.tap("planMerge")
    phone.says("Nothing has changed yet.")
    phone.shoot_phone("b2-merge")
    hides(phone, seat_of(phone)["seen"]["merge"]["other_token"])
    phone.tap("confirmMerge")
    phone.says("Merged: one account now.")
    expect(page.locator(".callout")).to_have_count(0)
    expect(page.locator(".facts div").first).to_have_text(re.compile(r"^Phone\+86174\d*\*+\d{4}$"))


def link_and_unlink(phone: Phone) -> None:
    """Link the other mini program, and take it off; the last way in stays."""
    page = phone.page
    phone.look("wechat")
    phone.tap("link-cafe")
    phone.says("WeChat linked.")
    page.click("#sheet [data-do^=unlink-cafe]")
    phone.says("WeChat unlinked.")
    phone.tap("close")
    phone.look("phone")
    phone.tap("unbindPhone")
    phone.says("Phone number unbound.")
    phone.tap("close")
    phone.look("wechat")
    page.click("#sheet [data-do^=unlink-mall]")
    phone.shows("POST /api/unbind_wechat 409")
    assert "last_sign_in_method" in phone.error()
    phone.shoot_phone("b4-last-way-in")
    phone.tap("close")
    phone.look("phone")
    wait_for_the_number(phone)
    phone.tap("askCode")
    page.click("#message [data-do=fill]")
    phone.tap("bindSms")
    phone.says("Phone number bound.")
    phone.tap("close")


def look_at_the_devices(phone: Phone) -> None:
    """Sign in from the other mini program as well, and end that from here, in both ways."""
    page = phone.page
    phone.open("cafe")
    phone.press("login")
    phone.open("mall")
    page.click("[data-do=account]")
    phone.look("devices")
    expect(page.locator("#sheet li")).to_have_count(2)
    phone.shoot_phone("b5-devices")
    page.click("#sheet li .leave")
    phone.says("That device is signed out.")
    expect(page.locator("#sheet li")).to_have_count(1)
    phone.open("cafe")
    phone.press("check")
    phone.shows("POST /api/check_token 401")
    phone.press("login")
    phone.open("mall")
    page.click("[data-do=account]")
    phone.look("devices")
    phone.tap("endOthers")
    phone.says("1 signed out.")
    expect(page.locator("#sheet li")).to_have_count(1)
    phone.tap("close")


def invite_a_friend(phone: Phone) -> None:
    """The code on the sheet, typed by a friend, makes a row on the sheet."""
    page, me = phone.page, phone.page.input_value("#own")
    phone.look("friends")
    code = page.locator(".invite code").inner_text()
    phone.be(f"{me}'s friend")
    phone.press("login")
    page.fill("#referrer", code)
    phone.press("registerComplex")
    phone.be(me)
    page.click("[data-do=account]")
    phone.look("friends")
    expect(page.locator("#sheet .counts dd").first).to_have_text("1")
    expect(page.locator("#sheet .items li")).to_have_text(re.compile(r"^I\*\*"))
    phone.shoot_phone("b6-friends")
    phone.tap("close")


def agree_and_take_it_back(phone: Phone) -> None:
    """Agree, take it back, and close the sheet by the keyboard."""
    phone.look("consent")
    phone.tap("agree")
    phone.says("Agreed.")
    expect(phone.page.locator("#sheet .fact")).to_contain_text("2026-11")
    phone.tap("withdraw")
    phone.says("Taken back.")
    phone.page.keyboard.press("Escape")
    expect(phone.page.locator("[data-do=open-consent]")).to_be_focused()


def look_at_the_activity(phone: Phone) -> None:
    """See what has happened so far, the newest first."""
    phone.look("activity")
    names = phone.page.locator("#sheet .items strong").all_inner_texts()
    assert names[:2] == ["Privacy consent taken back", "Privacy consent given"]
    assert {"Accounts merged", "WeChat unlinked", "Phone number bound"} <= set(names)
    phone.shoot_phone("b7-activity")
    phone.tap("close")


def download_everything(phone: Phone) -> None:
    """The file that the browser keeps is what the server has sent."""
    phone.look("export")
    with phone.page.expect_download() as download:
        phone.tap("exportData")
    assert download.value.suggested_filename == "export.json"
    found = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert found["phone"]["number"].startswith("+861740")
    assert str(found["uid"]) == str(seat_of(phone)["uid"])


def delete_the_account_and_come_back(phone: Phone) -> None:
    """See what an old sign-in is told; delete, and sign in while there is time."""
    page = phone.page
    phone.look("delete")
    body = {"code": "fresh_sign_in_required", "detail": "Too old.", "action": "login_again"}
    page.route("**/api/delete_account", lambda route: route.fulfill(status=403, json=body))
    phone.tap("deleteAccount")
    expect(page.locator("#sheet .callout [data-do=stale]")).to_be_visible()
    phone.shoot_phone("b8-delete")
    page.unroute("**/api/delete_account")
    phone.tap("deleteAccount")
    phone.shows("POST /api/delete_account 202")
    phone.says(re.compile(r"To be deleted on \d+ \w+ \d{4} at \d\d:\d\d\."))
    expect(page.locator("#screen[data-state=out]")).to_be_visible()
    phone.press("login")
    phone.says("Welcome back: your account stays.")


def test_accounts_are_found_again_by_a_password_and_by_a_taken_number(
    demo: Demo, tmp_path: Path
) -> None:
    with opened(demo, tmp_path, width=390, height=844, scheme="dark") as phone:
        page = phone.page
        phone.be("Lou")
        number = register_with_a_password(phone)
        phone.press("login")
        phone.look("sms")
        page.click("#sheet [data-do=open-password]")
        wait_for_the_number(phone)
        page.fill("#field-password", PASSWORD)
        phone.tap("loginPassword")
        phone.says("Signed in, and this WeChat is linked.")
        expect(page.locator(".facts div").last).to_have_text("Signed in fromTea Mall")

        phone.be("Moe")
        phone.press("authorize")
        page.click("[data-do=account]")
        expect(page.locator("[data-do=open-merge]")).to_have_count(0)
        phone.look("phone")
        wait_for_the_number(phone)
        page.fill("#field-phone", number)
        phone.tap("askCode")
        page.click("#message [data-do=fill]")
        phone.tap("bindSms")
        assert "phone_taken" in phone.error()
        phone.tap("close")
        expect(page.locator("[data-do=open-merge]")).to_be_visible()
        phone.shoot_phone("b9-phone-taken")


def register_with_a_password(phone: Phone) -> str:
    """Register by text message, set a password, sign out; return the number."""
    page = phone.page
    phone.look("sms")
    wait_for_the_number(phone)
    number = page.input_value("#field-phone")
    phone.tap("askCode")
    page.click("#message [data-do=fill]")
    phone.tap("loginSms")
    phone.tap("create")
    page.click("[data-do=account]")
    phone.look("newPassword")
    page.fill("#field-password", PASSWORD)
    phone.tap("setPassword")
    page.click("#back")
    phone.press("logout")
    return number
