"""What is counted in the database, and how it goes away again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wxauth.devices import Device
from wxauth.models import SmsCode, Tally
from wxauth.services import limits
from wxauth.services.limits import Counted

NOW = datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def number(ident: str = "x", scope: str = "sms_number") -> Counted:
    return Counted(scope=scope, ident=ident, period=limits.DAY)


def test_limits_of_two_kinds_do_not_share_a_window(settings: Any) -> None:
    """Incident 21: windows that were shared."""
    settings.WXAUTH_ATTEMPT_LIMITS = {"sms_number": 1, "sms_device": 1}
    assert limits.count(number(), now=NOW) is None
    assert limits.count(number(), now=NOW) == 12 * 3600 - 10 + 1
    assert limits.count(number("y"), now=NOW) is None
    assert limits.count(number(scope="sms_device"), now=NOW) is None
    assert limits.count(number(), now=NOW + timedelta(hours=12)) is None


def test_what_is_taken_back_can_be_counted_again(settings: Any) -> None:
    settings.WXAUTH_ATTEMPT_LIMITS = {"sms_number": 1}
    assert limits.count(number(), now=NOW) is None
    limits.take_back(number(), now=NOW)
    limits.take_back(number(), now=NOW)
    assert limits.count(number(), now=NOW) is None
    assert limits.count(number(), now=NOW) is not None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:0:1::7", "2001:db8:0:1::/64"),
        (None, "::/64"),
    ],
)
def test_network_is_whose_the_address_is(address: str | None, network: str) -> None:
    assert limits.network(Device(ip_address=address)) == network


def test_expired_rows_go_in_batches_and_the_others_stay() -> None:
    for index in range(7):
        expires_at = NOW + timedelta(seconds=index - 4)
        Tally.objects.create(name=f"n{index}", count=1, expires_at=expires_at)
        SmsCode.objects.create(
            number=f"+861740000000{index}", purpose="login", sent_at=NOW, expires_at=expires_at
        )
    assert limits.forget_expired(now=NOW, batch=2) == 10
    assert Tally.objects.count() == SmsCode.objects.count() == 2
    assert limits.forget_expired(now=NOW) == 0
