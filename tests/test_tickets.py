"""Tickets: opaque, short-lived, for one use, and of no use to who can read the cache."""

from typing import Any

import pytest
from django.core.cache import caches
from time_machine import TimeMachineFixture

from tests.cache_dump import everything_in_the_cache
from wxauth import tickets
from wxauth.conf import WechatApp
from wxauth.exceptions import TicketInvalid
from wxauth.identities import ConfirmedPerson

SESSION_KEY = "gqi+ECTGh+q18yn5whIQJw=="


@pytest.fixture
def person(app: WechatApp) -> ConfirmedPerson:
    return ConfirmedPerson(app=app, openid="oMadeUp", unionid=None, session_key=SESSION_KEY)


def test_ticket_gives_back_the_person(person: ConfirmedPerson) -> None:
    ticket = tickets.issue(person)
    assert tickets.look(ticket) == person
    assert tickets.look(ticket) == person, "looking does not use it up"


def test_ticket_is_used_up_once(person: ConfirmedPerson) -> None:
    ticket = tickets.issue(person)
    tickets.use_up(ticket)
    with pytest.raises(TicketInvalid):
        tickets.use_up(ticket)
    with pytest.raises(TicketInvalid):
        tickets.look(ticket)


@pytest.mark.parametrize("ticket", ["", "made-up", "x" * 512, "票", "\ud83d", "\x00"])
def test_unknown_ticket_is_invalid(ticket: str) -> None:
    with pytest.raises(TicketInvalid):
        tickets.look(ticket)


@pytest.mark.static
def test_ticket_expires(person: ConfirmedPerson, time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(1_800_000_000, tick=False)
    ticket = tickets.issue(person)
    time_machine.shift(tickets.TTL + 1)
    with pytest.raises(TicketInvalid):
        tickets.look(ticket)


def test_ticket_of_an_app_that_is_gone_is_invalid(person: ConfirmedPerson, settings: Any) -> None:
    ticket = tickets.issue(person)
    settings.WXAUTH_APPS = {"another": {"app_id": "wx9", "app_secret": "made up"}}
    with pytest.raises(TicketInvalid):
        tickets.look(ticket)


def test_cache_tells_neither_ticket_nor_person(person: ConfirmedPerson) -> None:
    ticket = tickets.issue(person)
    dump = everything_in_the_cache(caches["default"])
    assert dump
    for secret in (ticket, person.openid, SESSION_KEY):
        assert secret not in dump


def test_session_key_does_not_show_in_a_repr(person: ConfirmedPerson) -> None:
    assert SESSION_KEY not in repr(person)
