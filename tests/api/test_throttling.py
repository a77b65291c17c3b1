"""The rate limits, and each way by which one of somebody else's was escaped."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.core.cache import caches
from django.test import Client, RequestFactory
from rest_framework.exceptions import Throttled
from rest_framework.throttling import SimpleRateThrottle

from tests.api.answers import check_refusal
from tests.cache_dump import everything_in_the_cache
from tests.conftest import empty_caches
from tests.phone import Phone
from wxauth.rest.throttling import AddressThrottle, PersonThrottle, client_address, parse_rate

NOON = datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)  # 50 seconds before the minute is over
LIMIT = 3


@pytest.fixture
def _at_noon() -> Iterator[None]:
    """Stop the clock, so that no window ends in the middle of a test."""
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture(autouse=True)
def _low_limits(settings: Any, _at_noon: None) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": f"{LIMIT}/min", "person": None}


@pytest.fixture
def ask(db: None) -> Callable[..., int]:
    """Return a function that sends a request that is cheap to refuse, and returns the status."""

    def ask(route: str = "login", *, address: str = "203.0.113.7", forwarded: str = "") -> int:
        headers = {"X-Forwarded-For": forwarded} if forwarded else {}
        return Client().post(f"/api/{route}", REMOTE_ADDR=address, headers=headers).status_code

    return ask


def statuses(ask: Any, *, times: int = LIMIT + 1, **arguments: Any) -> list[int]:
    return [ask(**arguments) for _ in range(times)]


PASSED = 415  # the body of these requests is no JSON: the limit comes before that
USED_UP = [PASSED] * LIMIT + [429]


@pytest.mark.parametrize(
    "route",
    [
        "login",
        "register_simple",
        "register_complex",
        "authorize",
        "refresh_token",
        "oauth/start",
        "oauth/login",
        "oauth/ticket",
        "sms_code",
        "login_sms",
        "login_password",
        "reset_password",
    ],
)
def test_each_open_route_is_limited_by_address(ask: Any, route: str) -> None:
    assert statuses(ask, route=route) == USED_UP
    assert ask(route, address="203.0.113.8") == PASSED


@pytest.mark.parametrize("route", ["check_token", "logout", "me"])
def test_routes_that_apps_call_on_every_page_are_not_limited(ask: Any, route: str) -> None:
    assert 429 not in statuses(ask, route=route, times=20)


def test_answer_says_when_to_come_back(phone: Phone) -> None:
    for _ in range(LIMIT):
        phone.post("login")
    response = phone.post("login")
    body = check_refusal(response, 429, "rate_limited")
    assert body["action"] == "wait"
    assert set(body) == {"code", "detail", "action"}
    assert response["Retry-After"] == "50"
    assert not phone.simulator.requests


def test_new_window_lets_in_again(ask: Any) -> None:
    assert statuses(ask) == USED_UP
    with time_machine.travel(NOON.replace(minute=1, second=0), tick=False):
        assert statuses(ask) == USED_UP


def test_spelling_of_the_route_is_no_escape(ask: Any) -> None:
    statuses(ask, times=LIMIT)
    for route in ("login/", "login?x=1", "%6cogin", "login%2f"):
        assert ask(route) in (429, 404)
    for route in ("Login", "LOGIN"):
        assert ask(route) == 404


def test_all_ways_to_sign_in_share_one_window(ask: Any) -> None:
    for route in ("login", "register_simple", "authorize"):
        assert ask(route) == PASSED
    assert ask("register_complex") == 429


def test_refreshing_does_not_use_up_the_sign_ins(ask: Any) -> None:
    assert statuses(ask, route="refresh_token") == USED_UP
    assert ask("login") == PASSED


def test_success_does_not_reset_the_count(phone: Phone) -> None:
    answers = [phone.sign_in("authorize").status_code for _ in range(LIMIT + 2)]
    assert answers == [201, 200, 200, 429, 429]


def test_refused_request_does_not_reset_the_count(ask: Any) -> None:
    assert statuses(ask, times=10)[LIMIT:] == [429] * (10 - LIMIT)


class TestForwardedFor:
    """Who invents addresses in front of the proxy's own does not become somebody else."""

    @pytest.fixture
    def proxies(self, settings: Any) -> Callable[[int | None], None]:
        def proxies(number: int | None) -> None:
            settings.REST_FRAMEWORK = {"NUM_PROXIES": number}

        return proxies

    @pytest.mark.parametrize("number", [None, 0])
    def test_without_a_proxy_the_header_counts_for_nothing(
        self, ask: Any, proxies: Any, number: int | None
    ) -> None:
        proxies(number)
        answers = [ask(forwarded=f"198.51.100.{n}") for n in range(LIMIT + 1)]
        assert answers == USED_UP

    @pytest.mark.parametrize("number", [1, 2])
    def test_forged_entries_before_the_proxys_own_count_for_nothing(
        self, ask: Any, proxies: Any, number: int
    ) -> None:
        proxies(number)
        honest = ", ".join(["198.51.100.7", *["10.0.0.2"] * (number - 1)])
        forged = [f"192.0.2.{n}, {honest}" for n in range(LIMIT)] + [f"x,,,{honest}"]
        assert [ask(address="10.0.0.1", forwarded=chain) for chain in forged] == USED_UP

    @pytest.mark.parametrize("number", [1, 2])
    def test_clients_behind_a_proxy_are_told_apart(
        self, ask: Any, proxies: Any, number: int
    ) -> None:
        proxies(number)
        for client in ("198.51.100.7", "198.51.100.8"):
            chain = ", ".join([client, *["10.0.0.2"] * (number - 1)])
            assert statuses(ask, address="10.0.0.1", forwarded=chain) == USED_UP

    def test_header_that_is_shorter_than_the_chain_of_proxies(self, ask: Any, proxies: Any) -> None:
        proxies(3)
        assert statuses(ask, address="10.0.0.1", forwarded="198.51.100.7") == USED_UP
        assert statuses(ask, address="10.0.0.1") == USED_UP


ADDRESSES = {
    "198.51.100.7": "198.51.100.7",
    "198.51.100.7:50123": "198.51.100.7",
    "::ffff:198.51.100.7": "198.51.100.7",
    "[::ffff:198.51.100.7]:443": "198.51.100.7",
    "2001:DB8:0:0::1": "2001:db8::1",
    "[2001:db8::1]": "2001:db8::1",
    "[2001:db8::1]:443": "2001:db8::1",
    "fe80::1%eth0": "fe80::1",
    "": None,
    "unknown": None,
    "_hidden": None,
    "198.51.100.7.8": None,
    "198.51.100.7 ": None,
    "1": None,
    "[]": None,
}


@pytest.mark.parametrize(("sent", "read"), ADDRESSES.items())
def test_address_is_read_however_it_is_written(sent: str, read: str | None) -> None:
    assert client_address(RequestFactory().get("/", REMOTE_ADDR=sent)) == read


def test_ipv6_subscriber_is_one_address(ask: Any) -> None:
    """Each owns a /64 and could use another address for each request."""
    answers = [ask(address=f"2001:db8:0:1::{n:x}") for n in range(1, LIMIT + 2)]
    assert answers == USED_UP
    assert ask(address="2001:db8:0:2::1") == PASSED


def test_ipv4_address_inside_ipv6_is_the_same_address(ask: Any) -> None:
    assert statuses(ask, times=LIMIT) == USED_UP[:LIMIT]
    assert ask(address="::ffff:203.0.113.7") == 429
    assert ask(address="::ffff:cb00:7107") == 429
    assert ask(address="::ffff:203.0.113.8") == PASSED


def test_clients_without_an_address_are_limited_together(ask: Any) -> None:
    assert [ask(address=address) for address in ("", "unix:", "x", "")] == USED_UP


class TestPerson:
    @pytest.fixture(autouse=True)
    def _low_limits(self, settings: Any, _at_noon: None) -> None:
        settings.WXAUTH_THROTTLE_RATES = {"address": None, "person": f"{LIMIT}/min"}

    def sign_in(self, phone: Phone, address: str) -> Any:
        phone.client.defaults["REMOTE_ADDR"] = address
        return phone.sign_in()

    def test_person_is_limited_across_addresses(self, phone: Phone, make_phone: Any) -> None:
        answers = [self.sign_in(phone, f"203.0.113.{n}") for n in range(LIMIT + 1)]
        assert [answer.status_code for answer in answers] == [201, 200, 200, 429]
        body = check_refusal(answers[-1], 429, "rate_limited")
        assert answers[-1]["Retry-After"] == "50"
        assert body["action"] == "wait"
        assert self.sign_in(make_phone("carol"), "203.0.113.0").status_code == 201

    def test_ticket_is_counted_for_its_person(self, phone: Phone) -> None:
        for _ in range(LIMIT):
            ticket = phone.ticket()
        check_refusal(phone.sign_in("register_simple", ticket=ticket), 429, "rate_limited")

    def test_phone_binding_is_limited_by_user_across_sessions(
        self, phone: Phone, settings: Any
    ) -> None:
        answers = []
        for number in range(LIMIT + 1):
            settings.WXAUTH_THROTTLE_RATES = {"address": None, "person": None}
            self.sign_in(phone, f"203.0.113.{number}")
            settings.WXAUTH_THROTTLE_RATES = {"address": None, "person": f"{LIMIT}/min"}
            answers.append(phone.bind_phone())
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        check_refusal(answers[-1], 429, "rate_limited")

    def test_signing_in_does_not_use_up_the_phone_bindings(self, phone: Phone) -> None:
        for _ in range(LIMIT):
            phone.sign_in()
        assert phone.bind_phone().status_code == 200


def test_none_switches_a_limit_off(ask: Any, settings: Any) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": None}
    assert statuses(ask, times=20) == [PASSED] * 20


def test_limits_stand_without_a_setting(ask: Any, settings: Any) -> None:
    del settings.WXAUTH_THROTTLE_RATES
    assert statuses(ask, times=601)[599:] == [PASSED, 429]


def test_race_of_32_threads_is_counted_to_the_last_one() -> None:
    """DRF's own throttle reads a list and writes it back: parallel requests slip through."""
    gate = threading.Barrier(32)

    def count(_: int) -> bool:
        gate.wait()
        return AddressThrottle().count("203.0.113.7", group="race")

    for _ in range(5):
        empty_caches()
        with ThreadPoolExecutor(32) as pool:
            assert sum(pool.map(count, range(32))) == LIMIT


class TestOutage:
    """A cache that does not answer locks nobody out."""

    @pytest.mark.parametrize("quiet", [False, True], ids=["raises", "keeps quiet"])
    def test_redis_that_does_not_answer(
        self, phone: Phone, settings: Any, closed_port: int, quiet: bool
    ) -> None:
        settings.CACHES = {
            "default": {
                "BACKEND": "django_redis.cache.RedisCache",
                "LOCATION": f"redis://127.0.0.1:{closed_port}/0",
                "OPTIONS": {"IGNORE_EXCEPTIONS": quiet},
            }
        }
        settings.WXAUTH_THROTTLE_RATES = {"address": "1/min", "person": "1/min"}
        answers = [phone.sign_in().status_code for _ in range(3)]
        assert answers == [201, 200, 200]


def test_nothing_personal_stands_in_the_cache(phone: Phone, settings: Any) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": "9/min", "person": "9/min"}
    phone.sign_in()
    phone.bind_phone()
    phone.post("refresh_token", {"refresh": phone.tokens["refresh"]})
    kept = everything_in_the_cache(caches["default"])
    assert kept.count("wxauth:throttle:") == 4
    simulator, app_id = phone.simulator, phone.app.app_id
    for secret in (
        phone.openid,
        simulator.unionid(phone.name, "main"),
        simulator.user(phone.name).phone_number,
        simulator.session_key(phone.name, app_id),
        phone.app.app_secret,
        "127.0.0.1",
    ):
        assert secret not in kept


@pytest.mark.parametrize(
    "rate", ["60/min", "10/minute", "5/s", "5/sec", "100/day", "1/d", "7/h", "7/hour", "1/m", "0/s"]
)
def test_rate_means_what_it_means_to_drf(rate: str) -> None:
    class Throttle(SimpleRateThrottle):
        def __init__(self) -> None:
            """Do without a scope."""

    assert parse_rate(rate) == Throttle().parse_rate(rate)


def test_rate_of_zero_refuses_everybody(ask: Any, settings: Any) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": "0/min"}
    assert ask() == 429


def test_person_check_raises_what_drf_knows(settings: Any) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"person": "1/day"}
    PersonThrottle.check(ident := uuid4().hex, group="x")
    PersonThrottle.check(ident, group="y")
    with pytest.raises(Throttled) as raised:
        PersonThrottle.check(ident, group="x")
    assert raised.value.wait == 12 * 3600 - 10
