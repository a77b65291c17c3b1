"""States and tickets that travel with a browser: kept sealed, and used once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import caches
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.locmem import LocMemCache

from tests.cache_dump import everything_in_the_cache
from wxauth import handovers, oauth_states, scans
from wxauth.exceptions import ScanTaken, StateInvalid, TicketInvalid

CROWD = 16
BEGAN = 1_800_000_000  # Unix seconds


class WholeSeconds(LocMemCache):
    """A cache that leaves out fractions of seconds."""

    def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> float | None:
        return super().get_backend_timeout(int(timeout))


def at_once(call: Callable[[], Any]) -> list[Any]:
    barrier = threading.Barrier(CROWD)

    def run(_: int) -> Any:
        barrier.wait(10)
        try:
            return call()
        except (TicketInvalid, ScanTaken) as error:
            return error

    with ThreadPoolExecutor(CROWD) as pool:
        return list(pool.map(run, range(CROWD)))


def test_one_of_many_redeems_a_ticket() -> None:
    sid = uuid4()
    ticket = handovers.issue(sid)
    results = at_once(lambda: handovers.redeem(ticket))
    assert results.count(sid) == 1
    with pytest.raises(TicketInvalid):
        handovers.redeem(ticket)


@pytest.mark.parametrize("ticket", ["", "x", "\ud83d", "a" * 5000])
def test_unknown_ticket_is_refused(ticket: str) -> None:
    with pytest.raises(TicketInvalid):
        handovers.redeem(ticket)


def test_ticket_whose_key_is_gone_is_refused(settings: Any) -> None:
    ticket = handovers.issue(uuid4())
    settings.WXAUTH_ENCRYPTION_KEYS = ["another key, as after a leak"]
    with pytest.raises(TicketInvalid):
        handovers.redeem(ticket)


def test_one_of_many_claims_a_state() -> None:
    state = oauth_states.issue(verifier="v", app="a", flow="f", facts={"next": "/"})
    pending = oauth_states.look(state, verifier="v", app="a", flow="f")
    assert pending.facts == {"next": "/"}
    assert oauth_states.outcome(pending) is None
    assert at_once(lambda: oauth_states.claim(pending)).count(True) == 1
    oauth_states.finish(pending, {"sid": "x"})
    assert oauth_states.outcome(pending) == {"sid": "x"}


@pytest.mark.parametrize(
    "changes", [{"verifier": "w"}, {"verifier": ""}, {"app": "b"}, {"flow": "g"}]
)
def test_state_is_of_one_verifier_app_and_flow(changes: dict[str, str]) -> None:
    state = oauth_states.issue(verifier="v", app="a", flow="f")
    with pytest.raises(StateInvalid):
        oauth_states.look(state, **{"verifier": "v", "app": "a", "flow": "f", **changes})


def test_cache_does_not_tell_states_and_tickets() -> None:
    sid = uuid4()
    secrets = [
        handovers.issue(sid),
        oauth_states.issue(verifier="the-verifier", app="a", flow="f", facts={"next": "/secret/"}),
        "the-verifier",
        "/secret/",
        sid.hex,
    ]
    kept = everything_in_the_cache(caches["default"])
    assert kept
    for secret in secrets:
        assert secret not in kept
    assert len(set(secrets)) == 5


def test_phone_that_looks_twice_at_once_has_the_scan() -> None:
    scan = scans.begin(verifier="v", facts={})
    assert at_once(lambda: scans.hold(scan, "phone")) == [None] * CROWD
    with pytest.raises(ScanTaken):
        scans.hold(scan, "another")


def test_scan_is_of_one_phone_to_its_end_where_the_cache_counts_in_whole_seconds(
    settings: Any, time_machine: Any
) -> None:
    """As Django's own Redis backend and memcached do: an entry may end before its time."""
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.WholeSeconds"}}
    time_machine.move_to(BEGAN, tick=False)
    scan = scans.begin(verifier="v", facts={})
    time_machine.move_to(BEGAN + 10.1, tick=False)
    scans.hold(scan, "phone")
    time_machine.move_to(BEGAN + 20.9, tick=False)
    scans.take_decision(scan, "phone")
    scans.publish(scan, scans.State.CONFIRMED)
    time_machine.move_to(BEGAN + 119.5, tick=False)
    with pytest.raises(ScanTaken):
        scans.hold(scans.find(scan.text), "another")
    assert scans.collect(scan) == "phone"


def test_states_are_of_160_random_bits_in_letters_and_digits() -> None:
    states = {oauth_states.issue(verifier="v", app="a", flow="f") for _ in range(50)}
    assert len(states) == 50
    assert {len(state) for state in states} == {40}
    assert all(state.isalnum() for state in states)
