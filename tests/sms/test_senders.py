"""The senders that need no provider, and what a sender is to the settings."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from wxauth.conf import conf
from wxauth.exceptions import SmsUnavailable
from wxauth.sms.base import SmsMessage, SmsSender
from wxauth.sms.console import ConsoleSender
from wxauth.sms.file import FileSender
from wxauth.sms.memory import MemorySender

pytestmark = pytest.mark.static

MESSAGE = SmsMessage(
    number="+8617400000009", sms_code="424242", purpose="login", app="mall", minutes=5
)


def test_console_shows_number_and_code(capfd: Any) -> None:
    ConsoleSender().send(MESSAGE)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "SMS to +8617400000009 (login, mall): 424242\n")


def test_memory_keeps_messages_in_order(outbox: list[SmsMessage]) -> None:
    MemorySender().send(MESSAGE)
    MemorySender().send(MESSAGE)
    assert outbox == [MESSAGE, MESSAGE]


def test_file_gets_a_line_for_each_message(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    for _ in range(2):
        FileSender(path=path).send(MESSAGE)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert (
        lines
        == [
            {
                "number": "+8617400000009",
                "sms_code": "424242",
                "purpose": "login",
                "app": "mall",
                "minutes": 5,
            }
        ]
        * 2
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_file_that_cannot_be_written_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(SmsUnavailable) as raised:
        FileSender(path=tmp_path / "missing" / "messages").send(MESSAGE)
    assert raised.value.maybe_sent is False
    assert "424242" not in repr(raised.value)


@pytest.mark.parametrize("sender", [ConsoleSender, FileSender, MemorySender])
def test_senders_for_development_say_so(sender: type[SmsSender]) -> None:
    assert sender.for_development


def test_base_sends_nothing() -> None:
    assert not SmsSender.for_development
    with pytest.raises(NotImplementedError):
        SmsSender().send(MESSAGE)


def test_code_is_not_in_the_repr_of_a_message() -> None:
    assert "424242" not in repr(MESSAGE)


def test_console_is_for_debug_only(settings: Any) -> None:
    del settings.WXAUTH_SMS_BACKEND
    assert conf.sms_backend is None
    settings.DEBUG = True
    assert conf.sms_backend is ConsoleSender
    settings.WXAUTH_SMS_BACKEND = ""
    assert conf.sms_backend is None
