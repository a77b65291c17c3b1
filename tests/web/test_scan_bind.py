"""Linking WeChat to the account that is signed in on a computer, by scanning a code."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import caches
from django.db import OperationalError, connections
from django.test import Client
from django.utils import timezone

from tests.api.answers import check_error
from tests.cache_dump import everything_in_the_cache
from tests.phone import Phone
from wxauth import services, session_keys
from wxauth.conf import WechatApp
from wxauth.exceptions import WechatSessionStale
from wxauth.models import AuditEvent, LoginSession, WechatIdentity, WechatUnion
from wxauth.services import scanning
from wxauth.simulator import WechatSimulator

pytestmark = pytest.mark.django_db

User = get_user_model()
MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
NAME = "carol@shop.example"


class Screen:
    """The computer of somebody who has an account with a password, and shows a code."""

    def __init__(self, user: Any) -> None:
        self.user = user
        self.client = Client(headers={"User-Agent": "Firefox on a desk"})
        self.client.force_login(user, MODEL_BACKEND)
        self.show()

    def show(self, **query: str) -> None:
        response = self.client.get("/wechat/scan/bind/", query)
        assert response.status_code == 200, response.content
        self.html = response.content.decode()
        found = re.search(r'name="scan" value="([0-9a-f]{30})"', self.html)
        assert found
        self.scan = found[1]

    @property
    def state(self) -> str:
        return self.client.get("/wechat/scan/state/", {"scan": self.scan}).json()["state"]


class NewPhone:
    """The phone of somebody whose WeChat has no account here."""

    def __init__(self, wechat: WechatSimulator, name: str, app: WechatApp) -> None:
        self.phone = Phone(wechat, name, app)
        self.ticket = self.phone.ticket()

    def post(self, step: str, scan: str) -> Any:
        body = {"scan": scan, "ticket": self.ticket}
        return Client().post(f"/api/scan/{step}", body, "application/json")


@pytest.fixture
def carol(db: None) -> Any:
    return User.objects.create_user(**{User.USERNAME_FIELD: NAME}, password="tea-2048")


@pytest.fixture
def screen(carol: Any) -> Screen:
    return Screen(carol)


@pytest.fixture
def make_newcomer(
    db: None, wechat_simulator: WechatSimulator, app: WechatApp
) -> Callable[..., NewPhone]:
    return lambda name="alice": NewPhone(wechat_simulator, name, app)


@pytest.fixture
def newcomer(make_newcomer: Callable[..., NewPhone]) -> NewPhone:
    return make_newcomer()


def test_phone_without_an_account_is_linked_to_the_account_on_the_screen(
    screen: Screen, newcomer: NewPhone, carol: Any
) -> None:
    asked = newcomer.post("look", screen.scan)
    assert asked.status_code == 200
    assert asked.json()["account"] == "ca***@shop.example"
    assert asked.json()["browser"] == "Firefox on a desk"
    assert screen.state == "scanned"
    assert not WechatIdentity.objects.exists()
    assert newcomer.post("confirm", screen.scan).status_code == 204
    assert screen.state == "confirmed"
    identity = WechatIdentity.objects.get()
    assert identity.user == carol
    assert WechatUnion.objects.get().user == carol
    assert AuditEvent.objects.get(kind=AuditEvent.Kind.WECHAT_BOUND).user_key == str(carol.pk)
    with pytest.raises(WechatSessionStale):  # the key is the phone's, and this a browser's session
        session_keys.fetch(LoginSession.objects.get().pk)
    # From now on the phone signs in as that user, without registering.
    signed_in = newcomer.phone.sign_in("login")
    assert signed_in.status_code == 200
    assert str(signed_in.json()["uid"]) == str(carol.pk)


@pytest.mark.parametrize(
    ("name", "shown"), [("bo", "b***"), ("x", "***"), ("bob", "b***"), ("carol", "ca***")]
)
def test_short_name_is_not_shown_whole(make_user: Any, name: str, shown: str) -> None:
    user = make_user()
    setattr(user, user.USERNAME_FIELD, name)
    assert scanning._mask(user) == shown


def test_page_goes_on_to_an_allowed_address_only(screen: Screen, settings: Any) -> None:
    settings.LOGIN_REDIRECT_URL = "/orders/"
    screen.show(next="/settings/")
    assert 'data-next="/settings/"' in screen.html
    screen.show(next="https://evil.example/")
    assert 'data-next="/orders/"' in screen.html


def test_link_signs_no_browser_in(screen: Screen, newcomer: NewPhone, carol: Any) -> None:
    newcomer.post("look", screen.scan)
    newcomer.post("confirm", screen.scan)
    before = LoginSession.objects.count()
    response = screen.client.post("/wechat/scan/collect/", {"scan": screen.scan})
    assert response.status_code == 400
    assert LoginSession.objects.count() == before


def test_ticket_is_used_up_by_the_link(screen: Screen, newcomer: NewPhone) -> None:
    newcomer.post("look", screen.scan)
    newcomer.post("confirm", screen.scan)
    register = newcomer.phone.post("register_simple", {"ticket": newcomer.ticket})
    check_error(register, 400, "ticket_invalid")
    check_error(newcomer.post("confirm", screen.scan), 400, "scan_invalid")


def test_phone_that_says_no_links_nothing(screen: Screen, newcomer: NewPhone) -> None:
    newcomer.post("look", screen.scan)
    assert newcomer.post("refuse", screen.scan).status_code == 204
    assert screen.state == "refused"
    check_error(newcomer.post("confirm", screen.scan), 400, "scan_invalid")
    assert not WechatIdentity.objects.exists()


def test_phone_that_has_not_looked_links_nothing(screen: Screen, newcomer: NewPhone) -> None:
    check_error(newcomer.post("confirm", screen.scan), 400, "scan_invalid")
    assert not WechatIdentity.objects.exists()


def test_second_phone_is_told_that_the_code_is_taken(
    screen: Screen, make_newcomer: Callable[..., NewPhone]
) -> None:
    alice, bob = make_newcomer("alice"), make_newcomer("bob")
    assert alice.post("look", screen.scan).status_code == 200
    check_error(bob.post("look", screen.scan), 409, "scan_taken")
    check_error(bob.post("confirm", screen.scan), 400, "scan_invalid")
    assert not WechatIdentity.objects.exists()


def test_phone_of_somebody_else_is_refused_and_the_screen_told(
    screen: Screen, newcomer: NewPhone, carol: Any
) -> None:
    phone = newcomer.phone
    assert phone.sign_in().status_code == 201  # an account of its own, by now
    check_error(phone.post("scan/look", {"scan": screen.scan}), 409, "identity_taken")
    assert screen.state == "failed"
    check_error(phone.post("scan/confirm", {"scan": screen.scan}), 400, "scan_invalid")
    assert not WechatIdentity.objects.filter(user=carol).exists()


def test_phone_that_was_not_signed_in_by_wechat_has_to_send_a_ticket(
    screen: Screen, wechat_simulator: WechatSimulator, app: WechatApp
) -> None:
    """Or the screen would say that a WeChat is linked which nobody has shown."""
    phone = Phone(wechat_simulator, "carol", app)
    phone.sign_in()
    LoginSession.objects.update(identity=None, user=screen.user)
    check_error(phone.post("scan/look", {"scan": screen.scan}), 400, "invalid_input")
    assert screen.state == "waiting"
    newcomer = NewPhone(wechat_simulator, "dave", app)
    assert newcomer.post("look", screen.scan).status_code == 200


def test_phone_that_registers_in_between_is_not_moved(screen: Screen, newcomer: NewPhone) -> None:
    newcomer.post("look", screen.scan)
    assert newcomer.phone.sign_in().status_code == 201
    check_error(newcomer.post("confirm", screen.scan), 409, "identity_taken")
    assert screen.state == "failed"
    assert str(WechatIdentity.objects.get().user_id) == str(newcomer.phone.uid)


def test_phone_that_is_the_same_user_already_confirms_that(
    screen: Screen, newcomer: NewPhone, carol: Any
) -> None:
    newcomer.post("look", screen.scan)
    newcomer.post("confirm", screen.scan)
    assert newcomer.phone.sign_in().status_code == 200
    again = Screen(carol)
    assert newcomer.phone.post("scan/look", {"scan": again.scan}).status_code == 200
    assert newcomer.phone.post("scan/confirm", {"scan": again.scan}).status_code == 204
    assert again.state == "confirmed"
    assert WechatIdentity.objects.count() == 1


def test_screen_is_told_of_a_failure_that_nobody_foresaw(
    screen: Screen, newcomer: NewPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise OperationalError("the server closed the connection")

    newcomer.post("look", screen.scan)
    monkeypatch.setattr(scanning, "link", fail)
    check_error(newcomer.post("confirm", screen.scan), 503, "service_unavailable")
    assert screen.state == "failed"


def test_account_with_another_wechat_keeps_it(
    screen: Screen, make_newcomer: Callable[..., NewPhone], carol: Any
) -> None:
    first, second = make_newcomer("alice"), make_newcomer("bob")
    first.post("look", screen.scan)
    first.post("confirm", screen.scan)
    screen.show()
    assert second.post("look", screen.scan).status_code == 200
    check_error(second.post("confirm", screen.scan), 409, "already_linked")
    assert screen.state == "failed"
    assert WechatIdentity.objects.count() == 1


@pytest.mark.parametrize("how", ["ban", "sign-out", "deletion"])
def test_screen_that_is_signed_out_by_then_gets_nothing(
    screen: Screen, newcomer: NewPhone, carol: Any, how: str
) -> None:
    assert newcomer.post("look", screen.scan).status_code == 200
    if how == "ban":
        User.objects.update(is_active=False)
    elif how == "sign-out":
        services.logout_everywhere(user=carol)
    else:
        User.objects.all().delete()
    check_error(newcomer.post("confirm", screen.scan), 400, "scan_invalid")
    assert not WechatIdentity.objects.exists()


def test_stranger_is_shown_no_code() -> None:
    response = Client().get("/wechat/scan/bind/")
    assert response.status_code == 401
    assert "not_authenticated" in response.content.decode()


def test_old_sign_in_is_shown_no_code(screen: Screen) -> None:
    LoginSession.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    response = screen.client.get("/wechat/scan/bind/")
    assert response.status_code == 403
    assert "That did not work" in response.content.decode()
    assert "fresh_sign_in_required" in response.content.decode()


def test_code_that_signs_in_is_not_for_a_phone_without_an_account(newcomer: NewPhone) -> None:
    html = Client().get("/wechat/scan/").content.decode()
    scan = html.split('name="scan" value="')[1][:30]
    response = newcomer.post("look", scan)
    check_error(response, 404, "not_registered")
    assert response.json()["ticket"] == newcomer.ticket  # still good for registering
    check_error(newcomer.post("confirm", scan), 400, "scan_invalid")


@pytest.mark.parametrize("ticket", ["", None, "nonsense", "\x00", "x" * 129, 5])
def test_forged_ticket_is_refused(screen: Screen, ticket: Any) -> None:
    body = {"scan": screen.scan, "ticket": ticket}
    for step in ("look", "confirm", "refuse"):
        response = Client().post(f"/api/scan/{step}", body, "application/json")
        assert response.status_code in (400, 401), response.content
    assert screen.state == "waiting"
    assert not WechatIdentity.objects.exists()


def test_newcomers_are_counted_by_their_address(
    screen: Screen, newcomer: NewPhone, settings: Any
) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": "1/min"}
    codes = [newcomer.post("refuse", screen.scan).status_code for _ in range(2)]
    assert codes == [400, 429]


@pytest.mark.django_db(transaction=True)
def test_one_of_many_confirmations_links(screen: Screen, newcomer: NewPhone) -> None:
    newcomer.post("look", screen.scan)

    def confirm(_: int) -> int:
        try:
            return newcomer.post("confirm", screen.scan).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(confirm, range(8))) == [204] + [400] * 7
    assert WechatIdentity.objects.count() == 1
    assert screen.state == "confirmed"


def test_cache_tells_neither_code_nor_ticket_nor_account(
    screen: Screen, newcomer: NewPhone
) -> None:
    newcomer.post("look", screen.scan)
    kept = everything_in_the_cache(caches["default"])
    for text in (screen.scan, newcomer.ticket, "shop.example"):
        assert text not in kept
