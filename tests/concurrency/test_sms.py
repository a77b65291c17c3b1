"""Many guesses, sends and sign-ins by one code in one moment, in threads with real connections."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connections

from tests.api.sms import PASSWORD, Line, wrong
from tests.concurrency.conftest import CROWD
from tests.concurrency.server import at_once
from tests.phone import Phone
from wxauth.models import AuditEvent, LoginSession, PhoneNumber, SmsCode, Tally, WechatIdentity
from wxauth.sms.base import SmsMessage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("crowd")]

User = get_user_model()


@pytest.fixture(autouse=True)
def _no_limits_per_minute(settings: Any) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": None, "person": None}


@pytest.fixture
def line(outbox: list[SmsMessage]) -> Line:
    return Line(outbox)


@pytest.fixture
def crowd(outbox: list[SmsMessage]) -> Callable[[Callable[[Line], Any]], list[Any]]:
    """Return a function that has 32 people do the same at once, each on their own connection."""

    def crowd(act: Callable[[Line], Any]) -> list[Any]:
        def call() -> Any:
            try:
                return act(Line(outbox))
            finally:
                connections.close_all()

        return at_once([call] * CROWD)

    return crowd


def statuses(answers: list[Any]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def test_crowd_that_asks_for_a_code_gets_one_message(crowd: Any, outbox: Any) -> None:
    answers = crowd(lambda line: line.ask())
    assert statuses(answers) == {200: 1, 429: CROWD - 1}
    assert len(outbox) == 1
    assert SmsCode.objects.count() == 1
    assert list(Tally.objects.values_list("count", flat=True)) == [1, 1, 1]


def test_crowd_that_asks_again_gets_one_message(crowd: Any, outbox: Any, line: Line) -> None:
    line.code()
    row = SmsCode.objects.get()
    SmsCode.objects.update(sent_at=row.sent_at.replace(year=2020))
    assert statuses(crowd(lambda line: line.ask())) == {200: 1, 429: CROWD - 1}
    assert len(outbox) == 2


def test_messages_of_a_crowd_are_counted_to_the_last_one(outbox: Any, settings: Any) -> None:
    """Numbers differ, the device is one: exactly as many as it may have."""
    settings.WXAUTH_ATTEMPT_LIMITS = {"sms_device": 7}
    lines = [Line(outbox, f"174000002{index:02}") for index in range(CROWD)]

    def ask(line: Line) -> Any:
        try:
            return line.ask()
        finally:
            connections.close_all()

    answers = at_once([lambda line=line: ask(line) for line in lines])  # type: ignore[misc]
    assert statuses(answers) == {200: 7, 429: CROWD - 7}
    assert len(outbox) == 7


def test_crowd_of_guesses_is_five_attempts(crowd: Any, line: Line) -> None:
    code = line.code()
    answers = crowd(lambda line: line.login(wrong(code), register=True))
    assert statuses(answers) == {400: CROWD}
    assert SmsCode.objects.get().attempts == 5
    assert line.login(code, register=True).status_code == 400, "it is burnt"


def test_crowd_with_the_right_code_is_one_sign_in(crowd: Any, line: Line) -> None:
    line.register()
    SmsCode.objects.all().delete()
    code = line.code()
    answers = crowd(lambda line: line.login(code))
    assert statuses(answers) == {200: 1, 400: CROWD - 1}
    assert LoginSession.objects.count() == 2
    assert SmsCode.objects.get().attempts <= 5


def test_crowd_with_the_right_code_is_one_registration(crowd: Any, line: Line) -> None:
    code = line.code()
    answers = crowd(lambda line: line.login(code, register=True))
    assert statuses(answers) == {201: 1, 400: CROWD - 1}
    assert User.objects.count() == PhoneNumber.objects.count() == 1


def test_attempts_at_a_password_are_counted_to_the_last_one(
    crowd: Any, line: Line, settings: Any
) -> None:
    settings.WXAUTH_ATTEMPT_LIMITS = {"password_number": 5}
    line.register()
    answers = crowd(lambda line: line.login_password(PASSWORD))
    assert statuses(answers) == {400: 5, 429: CROWD - 5}
    refused = AuditEvent.objects.filter(kind=AuditEvent.Kind.SIGN_IN_REFUSED)
    assert refused.count() == 1, "once in an hour"


def test_two_identities_that_want_one_number_do_not_both_get_it(
    outbox: Any, line: Line, wechat_simulator: Any, app: Any
) -> None:
    """Each person has a ticket of their own and the password; the user has no identity yet."""
    line.register()
    assert line.set_password().status_code == 204
    tickets = [Phone(wechat_simulator, f"person {i}", app).ticket() for i in range(8)]

    def login(ticket: str) -> Any:
        try:
            return Line(outbox).login_password(ticket=ticket)
        finally:
            connections.close_all()

    answers = at_once([lambda t=t: login(t) for t in tickets])  # type: ignore[misc]
    assert statuses(answers) == {200: 1, 409: 7}
    assert WechatIdentity.objects.count() == 1
