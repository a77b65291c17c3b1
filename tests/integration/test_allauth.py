"""A project that has followed docs/allauth.md, visited by browsers."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.integration.allauth_project import (
    MALL,
    PASSWORD,
    Browser,
    Shop,
    find_link,
    shop_with_allauth,
)

# One group, so that one worker makes the project once.
pytestmark = [pytest.mark.once, pytest.mark.xdist_group("allauth")]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop_with_allauth(tmp_path_factory.mktemp("allauth")) as shop:
        yield shop


@pytest.fixture
def open_browser(shop: Shop) -> Callable[[str], Browser]:
    return lambda name="": Browser(shop, name)


def test_documented_project_has_nothing_to_complain_about(shop: Shop) -> None:
    assert "no issues" in shop.run("manage.py", "check")
    assert "No changes" in shop.run("manage.py", "makemigrations", "--check", "--dry-run")


# Signing in and out


def test_wechat_user_adds_email_and_password_and_signs_in_by_them(open_browser) -> None:
    browser = open_browser("mei")
    user = browser.come_by_wechat().json()["user"]
    assert user is not None
    add_email(browser, "mei@example.com")
    browser.sign_out()
    assert browser.user is None

    elsewhere = open_browser("")
    elsewhere.sign_in("mei@example.com")
    assert elsewhere.user == user
    assert browser.come_by_wechat().json() == {"user": user}


def test_user_of_allauth_links_wechat_and_signs_in_by_it(open_browser) -> None:
    browser = open_browser("lin")
    browser.sign_up("lin@example.com")
    user = browser.user
    page = browser.link_wechat()
    assert page.url.startswith(f"{browser.shop.site}/accounts/email/")
    assert "/wechat/bind/" not in page.text
    assert browser.user == user
    browser.sign_out()
    assert browser.user is None
    assert browser.come_by_wechat().json() == {"user": user}


def test_user_who_signed_in_by_email_long_ago_links_nothing(shop: Shop, open_browser) -> None:
    browser = open_browser("late")
    browser.sign_up("late@example.com")
    shop.python(
        "from datetime import timedelta\n"
        f"sessions = LoginSession.objects.filter(user={browser.user})\n"
        "sessions.update(created_at=timezone.now() - timedelta(minutes=11))"
    )
    page = browser.link_wechat()
    assert page.status_code == 403
    assert "fresh_sign_in_required" in page.text
    assert shop.python(f"print(WechatIdentity.objects.filter(user={browser.user}).count())") == [
        "0"
    ]


def test_sign_out_everywhere_reaches_browser_that_was_signed_in_by_email(
    shop: Shop, open_browser
) -> None:
    browser = open_browser()
    browser.sign_up("zoe@example.com")
    assert open_sessions(shop, browser.user) == 1
    shop.python(f"services.logout_everywhere(user=User.objects.get(pk={browser.user}))")
    assert browser.user is None


def test_sign_out_of_allauth_ends_our_session(shop: Shop, open_browser) -> None:
    browser = open_browser("out")
    browser.come_by_wechat()
    user = browser.user
    assert open_sessions(shop, user) == 1
    browser.sign_out()
    assert open_sessions(shop, user) == 0


def test_sign_out_everywhere_counts_in_the_pages_of_allauth(shop: Shop, open_browser) -> None:
    browser, other = open_browser("everywhere"), open_browser("everywhere")
    browser.come_by_wechat()
    other.come_by_wechat()
    assert browser.user == other.user
    shop.python(f"services.logout_everywhere(user=User.objects.get(pk={browser.user}))")
    for each in (browser, other):
        assert "/accounts/login/" in each.get("/accounts/email/").url
        assert each.user is None


def test_switched_off_user_is_shown_a_page_and_not_signed_in(shop: Shop, open_browser) -> None:
    browser = open_browser("off")
    browser.come_by_wechat()
    shop.python(f"User.objects.filter(pk={browser.user}).update(is_active=False)")
    assert browser.user is None
    page = browser.come_by_wechat()
    assert page.status_code == 403
    assert "user_inactive" in page.text
    assert browser.user is None


# Merging


def test_wechat_user_merged_into_user_of_allauth_is_who_signs_in(shop, open_browser) -> None:
    winner, loser = open_browser(), open_browser("joe")
    winner.sign_up("joe@example.com")
    key = winner.user
    loser.come_by_wechat()
    shop.run("manage.py", "wxauth_merge", str(key), str(loser.user), "--yes")

    assert loser.user is None
    assert loser.come_by_wechat().json() == {"user": key}
    again = open_browser()
    again.sign_in("joe@example.com")
    assert again.user == key


def test_user_of_allauth_merged_into_wechat_user_signs_in_by_a_new_password(
    shop: Shop, open_browser
) -> None:
    winner, loser = open_browser("ada"), open_browser()
    loser.sign_up("ada@example.com")
    winner.come_by_wechat()
    key = winner.user
    shop.run("manage.py", "wxauth_merge", str(key), str(loser.user), "--yes")
    assert emails(shop, key) == ["ada@example.com", "ada@example.com", "primary"]

    again = open_browser()
    again.sign_in("ada@example.com")
    assert again.user is None  # the password stays with the loser
    again.submit("/accounts/password/reset/", email="ada@example.com")
    link = find_link(shop.mail_to("ada@example.com"), "/accounts/password/reset/key/")
    again.submit(link, password1=PASSWORD + "!", password2=PASSWORD + "!")
    again.sign_in("ada@example.com", PASSWORD + "!")
    assert again.user == key


def test_addresses_of_both_users_lead_to_the_winner_until_the_merge_is_undone(
    shop: Shop, open_browser
) -> None:
    winner, loser = open_browser(), open_browser()
    winner.sign_up("eva@example.com")
    loser.sign_up("eva@work.example.com")
    keys = winner.user, loser.user
    told = shop.run("manage.py", "wxauth_merge", *map(str, keys), "--yes")
    assert emails(shop, keys[0]) == [
        *["eva@example.com", "eva@example.com", "primary"],
        *["eva@work.example.com", "other"],
    ]
    assert emails(shop, keys[1]) == ["eva@work.example.com"]  # the field alone
    again = open_browser()
    again.sign_in("eva@work.example.com")
    assert again.user == keys[0]

    merge = told.split("--undo ")[1].split()[0]
    shop.run("manage.py", "wxauth_merge", "--undo", merge, "--yes")
    assert emails(shop, keys[0]) == ["eva@example.com", "eva@example.com", "primary"]
    assert emails(shop, keys[1]) == ["eva@work.example.com", "eva@work.example.com", "primary"]
    again = open_browser()
    again.sign_in("eva@work.example.com")
    assert again.user == keys[1]


def test_merge_into_user_without_email_gives_them_one_until_it_is_undone(
    shop: Shop, open_browser
) -> None:
    winner, loser = open_browser("ben"), open_browser()
    winner.come_by_wechat()
    loser.sign_up("ben@example.com")
    keys = winner.user, loser.user
    told = shop.run("manage.py", "wxauth_merge", *map(str, keys), "--yes")
    merge = told.split("--undo ")[1].split()[0]
    shop.run("manage.py", "wxauth_merge", "--undo", merge, "--yes")
    assert emails(shop, keys[0]) == []
    assert emails(shop, keys[1]) == ["ben@example.com", "ben@example.com", "primary"]


# Leaving


def test_deleted_user_leaves_no_address_behind(shop: Shop, open_browser) -> None:
    browser = open_browser("leaver")
    browser.come_by_wechat()
    user = browser.user
    add_email(browser, "leaver@example.com")
    assert "leaver@example.com" in dump(shop)
    told = json.loads(shop.run("manage.py", "wxauth_export", str(user)))
    assert [row["email"] for row in told["email_addresses"]] == ["leaver@example.com"]
    shop.python(
        f"session = LoginSession.objects.filter(user={user}).latest('created_at')\n"
        "assert services.delete_now(session=session) == 'deleted'"
    )
    assert "leaver@example.com" not in dump(shop)
    again = open_browser()
    again.sign_in("leaver@example.com")
    assert again.user is None


def test_who_signs_in_by_email_before_the_deletion_keeps_the_account(
    shop: Shop, open_browser
) -> None:
    browser = open_browser("undecided")
    browser.come_by_wechat()
    user = browser.user
    add_email(browser, "undecided@example.com")
    waits = (
        "from wxauth.models import DeletionRequest\n"
        f"print(DeletionRequest.objects.filter(user={user}).exists())"
    )
    shop.python(
        "from wxauth.services.leaving import request_deletion\n"
        f"session = LoginSession.objects.filter(user={user}).latest('created_at')\n"
        "request_deletion(session=session)"
    )
    assert browser.user is None
    assert shop.python(waits) == ["True"]
    again = open_browser()
    again.sign_in("undecided@example.com")
    assert again.user == user
    assert shop.python(waits) == ["False"]


def test_closed_wechat_account_leaves_the_one_with_an_email(shop: Shop, open_browser) -> None:
    browser, other = open_browser("closed"), open_browser("closed too")
    for each in (browser, other):
        each.come_by_wechat()
    add_email(browser, "closed@example.com")
    told = shop.python(
        "from wxauth.conf import conf\n"
        "from wxauth.models import DeletionRequest\n"
        "from wxauth.services.wechat_events import handle_event\n"
        "kind = 'user_authorization_cancellation'\n"
        f"for user in User.objects.filter(pk__in=[{browser.user}, {other.user}]):\n"
        "    for openid in user.wxauth_identities.values_list('openid', flat=True):\n"
        "        message = {'Event': kind, 'OpenID': openid}\n"
        "        assert handle_event(app=conf.app('site'), message=message)\n"
        "    print(DeletionRequest.objects.filter(user=user).count())"
    )
    assert told == ["0", "1"]


def test_last_wechat_identity_can_be_unlinked_by_who_has_an_email(shop: Shop, open_browser) -> None:
    browser = open_browser("unlinker")
    browser.come_by_wechat()
    user = browser.user
    unlink = (
        "from wxauth.exceptions import LastSignInMethod\n"
        f"session = LoginSession.objects.filter(user={user}).latest('created_at')\n"
        "try:\n"
        "    print(services.unbind_wechat(session=session, app='site'))\n"
        "except LastSignInMethod as error:\n"
        "    print(error.code)"
    )
    assert shop.python(unlink) == ["last_sign_in_method"]
    add_email(browser, "unlinker@example.com")
    assert shop.python(unlink) == ["True"]
    again = open_browser()
    again.sign_in("unlinker@example.com")
    assert again.user == user


def test_account_found_by_its_number_is_lost_to_whoever_had_it(shop: Shop, open_browser) -> None:
    before = open_browser()
    before.sign_up("before@example.com")
    user = before.user
    number = shop.wechat.phone("owner", MALL)["purePhoneNumber"]
    told = shop.python(
        f"fields = {{'user_id': {user}, 'number': '+86{number}'}}\n"
        "PhoneNumber.objects.create(**fields, verified_at=timezone.now())\n"
        f"person = services.confirm_code(login_code='{shop.wechat.login('owner', MALL)}')\n"
        f"proof = services.PhoneCode('{shop.wechat.phone('owner', MALL)['code']}')\n"
        "print(services.phone_login(person=person, proof=proof).sign_in.user.pk)"
    )
    assert told == [str(user)]
    assert before.user is None
    assert emails(shop, user) == []
    before.submit("/accounts/password/reset/", email="before@example.com")
    assert "/password/reset/key/" not in shop.mail_to("before@example.com")


# From allauth's own provider


def test_people_of_the_provider_stay_who_they_are(shop: Shop, open_browser) -> None:
    browser = open_browser("old")
    come_by_the_provider(browser, "old@example.com")
    user = browser.user
    assert user is not None
    for _ in range(2):
        assert not [line for line in take_over(shop) if line.endswith(f" as {user}.")]
    unionid = shop.wechat.unionid("old", "acme")
    assert shop.python(f"print(WechatUnion.objects.get(unionid='{unionid}').user_id)") == [
        str(user)
    ]
    again = open_browser("old")
    assert again.come_by_wechat().json() == {"user": user}
    in_mini_program = shop.python(
        f"person = services.confirm_code(login_code='{shop.wechat.login('old', MALL)}')\n"
        "print(services.login(person=person).user.pk)"
    )
    assert in_mini_program == [str(user)]


def test_person_of_the_provider_who_has_a_second_user_is_named(shop: Shop, open_browser) -> None:
    browser, other = open_browser("twice"), open_browser("twice")
    come_by_the_provider(browser, "twice@example.com")
    other.come_by_wechat()
    pair = f"User {other.user} is the same person as {browser.user}."
    assert pair in take_over(shop)
    shop.run("manage.py", "wxauth_merge", str(browser.user), str(other.user), "--yes")
    assert pair not in take_over(shop)
    assert other.come_by_wechat().json() == {"user": browser.user}


def test_unionid_that_another_user_has_moves_nobody(shop: Shop, open_browser) -> None:
    browser = open_browser("both")
    come_by_the_provider(browser, "both@example.com")
    (holder,) = shop.python(
        f"person = services.confirm_code(login_code='{shop.wechat.login('both', MALL)}')\n"
        "print(services.authorize(person=person).user.pk)"
    )
    pair = f"User {holder} is the same person as {browser.user}."
    assert pair in take_over(shop)
    again = open_browser("both")
    assert again.come_by_wechat().json() == {"user": browser.user}
    shop.run("manage.py", "wxauth_merge", str(browser.user), holder, "--yes")
    assert pair not in take_over(shop)


def add_email(browser: Browser, email: str) -> None:
    """Add address and password in allauth's pages."""
    browser.submit("/accounts/email/", email=email, action_add="")
    browser.confirm(email)
    page = browser.get("/accounts/email/")
    assert "/accounts/password/set/" in page.text
    browser.submit("/accounts/password/set/", password1=PASSWORD, password2=PASSWORD)


def come_by_the_provider(browser: Browser, email: str) -> None:
    """Sign up by allauth's own provider for WeChat, which asks for an address."""
    browser.submit("/accounts/weixin/login/")
    browser.submit("/accounts/3rdparty/signup/", email=email)
    browser.confirm(email)
    browser.submit("/accounts/weixin/login/")


def take_over(shop: Shop) -> list[str]:
    return shop.run("manage.py", "take_over_weixin").splitlines()


def open_sessions(shop: Shop, user: int | None) -> int:
    told = shop.python(
        "from django.utils import timezone\n"
        f"user = User.objects.get(pk={user})\n"
        "print(LoginSession.objects.open_of(user, now=timezone.now()).count())"
    )
    return int(told[0])


def emails(shop: Shop, user: int | None) -> list[str]:
    """Return the user's own address, then each of allauth's rows."""
    return shop.python(
        f"print(User.objects.get(pk={user}).email)\n"
        f"for each in EmailAddress.objects.filter(user={user}).order_by('pk'):\n"
        "    print(each.email, 'primary' if each.primary else 'other')"
    )


def dump(shop: Shop) -> str:
    return shop.run("manage.py", "dumpdata")
