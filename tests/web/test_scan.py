"""Signing in on a computer by scanning a code with the phone, and every way to abuse it."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth import get_user_model
from django.core.cache import caches
from django.db import connections
from django.test import AsyncClient, Client
from django.utils import timezone

from tests.api.answers import check_error
from tests.cache_dump import everything_in_the_cache
from tests.phone import Phone
from wxauth import transactions
from wxauth.conf import WechatApp
from wxauth.models import LoginSession
from wxauth.services import scanning as scanning_services
from wxauth.simulator import WechatSimulator
from wxauth.web import scanning

pytestmark = pytest.mark.django_db

User = get_user_model()


class Screen:
    """A computer that shows a code."""

    def __init__(self, **headers: str) -> None:
        self.client = Client(headers={"User-Agent": "Firefox on a desk", **headers})
        self.scan = ""

    def show(self, **query: str) -> str:
        response = self.client.get("/wechat/scan/", query)
        assert response.status_code == 200, response.content
        self.html = response.content.decode()
        self.csp = response["Content-Security-Policy"]
        found = re.search(r'name="scan" value="([0-9a-f]{30})"', self.html)
        assert found
        self.scan = found[1]
        return self.scan

    def state(self, scan: str | None = None) -> str:
        query = {"scan": self.scan if scan is None else scan}
        response = self.client.get("/wechat/scan/state/", query)
        assert response.status_code == 200
        assert "no-store" in response["Cache-Control"]
        return response.json()["state"]

    def collect(self, scan: str | None = None, **fields: str) -> Any:
        fields = {"scan": self.scan if scan is None else scan, **fields}
        return self.client.post("/wechat/scan/collect/", fields)

    @property
    def user_id(self) -> Any:
        return self.client.session.get("_auth_user_id")


@pytest.fixture
def make_phone(db: None, wechat_simulator: WechatSimulator, app: WechatApp) -> Callable[..., Phone]:
    def make_phone(name: str = "alice") -> Phone:
        phone = Phone(wechat_simulator, name, app)
        assert phone.sign_in().status_code in (200, 201)
        return phone

    return make_phone


@pytest.fixture
def phone(make_phone: Callable[..., Phone]) -> Phone:
    return make_phone()


@pytest.fixture
def screen() -> Screen:
    screen = Screen()
    screen.show()
    return screen


def say_yes(phone: Phone, scan: str) -> None:
    assert phone.post("scan/look", {"scan": scan}).status_code == 200
    assert phone.post("scan/confirm", {"scan": scan}).status_code == 204


def test_phone_that_says_yes_signs_the_screen_in(phone: Phone, screen: Screen) -> None:
    assert screen.state() == "waiting"
    asked = phone.post("scan/look", {"scan": screen.scan})
    assert asked.json()["browser"] == "Firefox on a desk"
    assert asked.json()["ip_address"] == "127.0.0.1"
    assert screen.state() == "scanned"
    assert screen.collect().status_code == 400
    assert phone.post("scan/confirm", {"scan": screen.scan}).status_code == 204
    assert screen.state() == "confirmed"
    assert screen.collect(next="/deliveries/").json() == {"next": "/deliveries/"}
    assert screen.user_id == str(phone.uid)
    session = LoginSession.objects.get(user_agent="Firefox on a desk")
    assert str(session.user_id) == str(phone.uid)


def test_code_is_on_the_page_and_comes_from_nowhere_else(screen: Screen) -> None:
    assert 'src="data:image/svg+xml' in screen.html
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', screen.html)
    assert "script-src 'self'" in screen.csp
    assert "'unsafe-inline'" not in screen.csp
    assert "<script>" not in screen.html


def test_phone_that_says_no_signs_nobody_in(phone: Phone, screen: Screen) -> None:
    phone.post("scan/look", {"scan": screen.scan})
    assert phone.post("scan/refuse", {"scan": screen.scan}).status_code == 204
    assert screen.state() == "refused"
    assert screen.collect().status_code == 400
    check_error(phone.post("scan/confirm", {"scan": screen.scan}), 400, "scan_invalid")
    assert screen.user_id is None


def test_code_ends_after_two_minutes(phone: Phone, screen: Screen, time_machine: Any) -> None:
    """Incidents 30 and 35."""
    say_yes(phone, screen.scan)
    time_machine.move_to(timezone.now() + timedelta(seconds=121))
    assert screen.state() == "expired"
    assert screen.collect().status_code == 400
    check_error(phone.post("scan/look", {"scan": screen.scan}), 400, "scan_invalid")


def test_codes_in_two_tabs_are_good_both(screen: Screen) -> None:
    first = screen.scan
    screen.show()
    assert (screen.state(first), screen.state()) == ("waiting", "waiting")


def test_code_is_good_once(phone: Phone, screen: Screen) -> None:
    """Incident 35."""
    say_yes(phone, screen.scan)
    assert screen.collect().status_code == 200
    assert screen.collect().status_code == 400
    assert LoginSession.objects.count() == 2


def test_scan_is_tied_to_the_browser_that_shows_it(phone: Phone, screen: Screen) -> None:
    """Incident 35: who photographs the screen, or sends its code, is not signed in by it."""
    say_yes(phone, screen.scan)
    thief = Screen()
    assert thief.state(screen.scan) == "expired"  # without any cookie
    assert thief.collect(screen.scan).status_code == 400
    thief.show()
    assert thief.state(screen.scan) == "expired"
    assert thief.collect(screen.scan).status_code == 400
    assert thief.user_id is None
    assert screen.collect().status_code == 200


def test_second_phone_is_told_that_the_code_is_taken(
    phone: Phone, make_phone: Callable[..., Phone], screen: Screen
) -> None:
    other = make_phone("bob")
    assert phone.post("scan/look", {"scan": screen.scan}).status_code == 200
    check_error(other.post("scan/look", {"scan": screen.scan}), 409, "scan_taken")
    check_error(other.post("scan/confirm", {"scan": screen.scan}), 400, "scan_invalid")
    check_error(other.post("scan/refuse", {"scan": screen.scan}), 400, "scan_invalid")
    assert screen.state() == "scanned"
    say_yes(phone, screen.scan)
    screen.collect()
    assert screen.user_id == str(phone.uid)


def test_phone_that_has_not_looked_cannot_confirm(phone: Phone, screen: Screen) -> None:
    """Incident 35."""
    check_error(phone.post("scan/confirm", {"scan": screen.scan}), 400, "scan_invalid")


@pytest.mark.parametrize("scan", ["", "0" * 30, "z" * 30, "\x00", "0" * 64, "𝟙" * 30])
def test_forged_code_is_refused(phone: Phone, screen: Screen, scan: str) -> None:
    for step in ("look", "confirm", "refuse"):
        assert phone.post(f"scan/{step}", {"scan": scan}).status_code == 400
    assert screen.state(scan) == "expired"
    assert screen.collect(scan).status_code == 400


def test_phone_without_a_sign_in_is_refused(screen: Screen) -> None:
    """Incident 29: who claims to be somebody is nobody."""
    body = {"scan": screen.scan, "openid": "oAnybody", "uid": 1}
    for step in ("look", "confirm", "refuse"):
        response = Client().post(f"/api/scan/{step}", body, "application/json")
        check_error(response, 401, "not_authenticated")


@pytest.mark.parametrize("how", ["ban", "sign-out", "deletion"])
def test_phone_that_is_out_by_then_signs_nobody_in(phone: Phone, screen: Screen, how: str) -> None:
    say_yes(phone, screen.scan)
    if how == "ban":
        User.objects.update(is_active=False)
    elif how == "sign-out":
        phone.post("logout")
    else:
        User.objects.all().delete()
    assert screen.collect().status_code == 400
    assert screen.user_id is None


def test_old_token_gets_no_fresh_sign_in_by_a_scan(phone: Phone, screen: Screen) -> None:
    LoginSession.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    say_yes(phone, screen.scan)
    assert screen.collect().status_code == 200
    assert screen.user_id == str(phone.uid)
    assert screen.client.get("/wechat/scan/bind/").status_code == 403
    assert screen.client.post("/wechat/bind/site/").status_code == 403


@pytest.mark.parametrize("how", ["sign-out", "deletion"])
def test_phone_that_goes_out_at_the_same_moment_signs_nobody_in(
    phone: Phone, screen: Screen, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(step: Callable[[], Any]) -> Any:
        monkeypatch.undo()
        if how == "sign-out":
            phone.post("logout")
        else:
            User.objects.all().delete()
        return transactions.run(step)

    say_yes(phone, screen.scan)
    monkeypatch.setattr(scanning_services, "transactions", SimpleNamespace(run=run))
    assert screen.collect().status_code == 400
    assert screen.user_id is None


def test_collecting_wants_a_post_with_a_csrf_token(phone: Phone, screen: Screen) -> None:
    say_yes(phone, screen.scan)
    assert screen.client.get("/wechat/scan/collect/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = screen.client.cookies
    assert strict.post("/wechat/scan/collect/", {"scan": screen.scan}).status_code == 403


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "javascript:x"])
def test_nobody_is_sent_elsewhere(phone: Phone, screen: Screen, wanted: str, settings: Any) -> None:
    """Incident 25."""
    settings.LOGIN_REDIRECT_URL = "/orders/"
    say_yes(phone, screen.scan)
    assert screen.collect(next=wanted).json() == {"next": "/orders/"}


@pytest.mark.django_db(transaction=True)
def test_one_of_many_collects(phone: Phone, screen: Screen) -> None:
    say_yes(phone, screen.scan)

    def collect(_: int) -> int:
        client = Client()
        client.cookies = screen.client.cookies.copy()
        try:
            fields = {"scan": screen.scan}
            return client.post("/wechat/scan/collect/", fields).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(collect, range(8)))
    assert codes == [200] + [400] * 7
    assert LoginSession.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_one_of_two_phones_takes_the_code(make_phone: Callable[..., Phone], screen: Screen) -> None:
    phones = [make_phone(f"person-{n}") for n in range(6)]

    def look(phone: Phone) -> int:
        try:
            return phone.post("scan/look", {"scan": screen.scan}).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(phones)) as pool:
        assert sorted(pool.map(look, phones)) == [200] + [409] * 5


def test_screen_is_told_nothing_of_the_phone(phone: Phone, screen: Screen) -> None:
    """Incident 29: a scan hands out nobody."""
    say_yes(phone, screen.scan)
    response = screen.client.get("/wechat/scan/state/", {"scan": screen.scan})
    assert response.json() == {"state": "confirmed"}


def test_cache_tells_neither_code_nor_cookie(phone: Phone, screen: Screen) -> None:
    say_yes(phone, screen.scan)
    kept = everything_in_the_cache(caches["default"])
    secret = screen.client.cookies["wxauth_browser"].value
    assert kept
    for text in (screen.scan, secret, "Firefox on a desk"):
        assert text not in kept


def test_polling_asks_no_database(screen: Screen, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        screen.state()


def test_waiting_uses_up_nothing_that_a_way_back_needs(screen: Screen, settings: Any) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": "2/min"}
    query = {"scan": screen.scan}
    answers = [screen.client.get("/wechat/scan/state/", query) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert screen.client.get("/wechat/scan/").status_code == 200


def test_code_opened_elsewhere_says_what_to_do(screen: Screen) -> None:
    response = Client().get(f"/wechat/scan/open/{screen.scan}/")
    assert response.status_code == 200
    assert "inside the mini program" in response.content.decode()
    assert screen.state() == "waiting"


def test_cache_that_does_not_answer_is_a_page(settings: Any, closed_port: int) -> None:
    settings.CACHES = {
        **settings.CACHES,
        "gone": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{closed_port}/0",
        },
    }
    settings.WXAUTH_CACHE = "gone"
    response = Client().get("/wechat/scan/")
    assert response.status_code == 503
    assert "service_unavailable" in response.content.decode()


@pytest.mark.parametrize(("is_staff", "status"), [(True, 200), (False, 302)])
def test_staff_reach_the_admin_by_the_code_and_nobody_else(
    phone: Phone, screen: Screen, is_staff: bool, status: int
) -> None:
    User.objects.update(is_staff=is_staff, is_superuser=is_staff)
    say_yes(phone, screen.scan)
    assert screen.collect(next="/admin/").json() == {"next": "/admin/"}
    assert screen.client.get("/admin/").status_code == status


# Server-Sent Events: under ASGI


def stream(screen: Screen, act: Callable[[str], Any], scan: str | None = None) -> list[str]:
    """Return all that the screen is told; ``act`` is called with each piece."""

    async def read() -> list[str]:
        client = AsyncClient()
        client.cookies = screen.client.cookies
        query = {"scan": screen.scan if scan is None else scan}
        response = await client.get("/wechat/scan/events/", query)
        assert (response.status_code, response["Content-Type"]) == (200, "text/event-stream")
        assert "no-store" in response["Cache-Control"]
        assert response["X-Accel-Buffering"] == "no"
        pieces = []
        async for piece in response.streaming_content:
            pieces.append(piece.decode())
            await sync_to_async(act)(pieces[-1])
        return pieces

    return async_to_sync(read)()


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "PAUSE", 0.01)


def test_screen_is_told_each_state_to_the_end(phone: Phone, screen: Screen, hurry: None) -> None:
    def act(piece: str) -> None:
        step = {"data: waiting\n\n": "look", "data: scanned\n\n": "confirm"}.get(piece)
        if step is not None:
            assert phone.post(f"scan/{step}", {"scan": screen.scan}).status_code in (200, 204)

    states = ["waiting", "scanned", "confirmed"]
    assert stream(screen, act) == [f"data: {state}\n\n" for state in states]
    assert screen.collect().status_code == 200


def test_stream_ends_with_the_code(
    local_memory: None, screen: Screen, hurry: None, time_machine: Any
) -> None:
    later = timezone.now() + timedelta(seconds=121)
    told = stream(screen, lambda piece: time_machine.move_to(later))
    assert told == ["data: waiting\n\n", "data: expired\n\n"]


@pytest.mark.parametrize("scan", ["", "0" * 30, "\x00"])
def test_stream_of_a_forged_code_ends_at_once(screen: Screen, scan: str) -> None:
    assert stream(screen, print, scan) == ["data: expired\n\n"]


def test_stream_of_another_browser_tells_nothing(phone: Phone, screen: Screen) -> None:
    say_yes(phone, screen.scan)
    assert stream(Screen(), print, screen.scan) == ["data: expired\n\n"]


def test_quiet_stream_is_kept_open(
    phone: Phone, screen: Screen, hurry: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "SILENCE", 0)
    told = stream(screen, lambda piece: say_yes(phone, screen.scan) if piece == ":\n\n" else None)
    assert told == ["data: waiting\n\n", ":\n\n", "data: confirmed\n\n"]


def test_stream_ends_with_the_cache_and_the_page_asks_on(
    screen: Screen, hurry: None, settings: Any, closed_port: int
) -> None:
    gone = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": f"redis://127.0.0.1:{closed_port}/0",
    }

    def act(piece: str) -> None:
        settings.CACHES = {**settings.CACHES, "gone": gone}
        settings.WXAUTH_CACHE = "gone"

    assert stream(screen, act) == ["data: waiting\n\n"]


def test_stream_is_offered_where_the_server_can(screen: Screen) -> None:
    assert "data-events" not in screen.html
    response = screen.client.get("/wechat/scan/events/", {"scan": screen.scan})
    assert response.status_code == 404  # it would hold a thread
    response = async_to_sync(AsyncClient().get)("/wechat/scan/")
    assert 'data-events="/wechat/scan/events/"' in response.content.decode()
