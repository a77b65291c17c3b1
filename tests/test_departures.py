"""Coming back, and finding that somebody else was faster."""

from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from wxauth import departures, identities
from wxauth.conf import WechatApp
from wxauth.devices import Device
from wxauth.identities import ConfirmedPerson
from wxauth.models import AuditEvent, DeletionRequest, WechatIdentity

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(app: WechatApp, make_user: Any) -> ConfirmedPerson:
    """Somebody who has an account and has asked for its deletion."""
    person, user, now = ConfirmedPerson(app=app, openid="o1"), make_user(), timezone.now()
    identities.register(person, user, now=now)
    DeletionRequest.objects.ask(user, source="user", now=now, due_at=now)
    return person


def find(person: ConfirmedPerson) -> identities.Match:
    match = identities.find(person)
    assert match is not None
    return match


def test_request_is_read_with_the_user(
    person: ConfirmedPerson, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        assert find(person).user.wxauth_deletion.source == "user"
    DeletionRequest.objects.all().delete()
    user = find(person).user
    with django_assert_num_queries(0):
        assert departures.cancel_on_return(user) is False


def test_user_read_without_the_request_costs_a_look(
    make_user: Any, django_assert_num_queries: Any
) -> None:
    user = make_user()
    with django_assert_num_queries(1):
        assert departures.cancel_on_return(user) is False


def test_return_is_written_down_once(person: ConfirmedPerson) -> None:
    user, somewhere = find(person).user, Device(ip_address="192.0.2.1")
    assert departures.cancel_on_return(user, app="default", device=somewhere) is True
    assert departures.cancel_on_return(user) is False
    event = AuditEvent.objects.get()
    assert (event.kind, event.ip_address) == ("deletion_cancelled", "192.0.2.1")


def test_request_that_has_gone_meanwhile_is_looked_for_again(person: ConfirmedPerson) -> None:
    user = find(person).user
    DeletionRequest.objects.all().delete()
    with pytest.raises(IntegrityError):
        departures.cancel_on_return(user)


@pytest.mark.parametrize("meanwhile", ["gone", "another user's"])
def test_identity_that_has_changed_hands_meanwhile_is_looked_for_again(
    person: ConfirmedPerson, make_user: Any, meanwhile: str
) -> None:
    match = find(person)
    if meanwhile == "gone":
        WechatIdentity.objects.all().delete()
    else:
        WechatIdentity.objects.update(user=make_user())
    with pytest.raises(IntegrityError):
        identities.settle(match, person, now=timezone.now())
