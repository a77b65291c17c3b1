"""The view that shows text messages: in the demo, and nowhere else."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.http import Http404
from django.test import RequestFactory

from example_project import views
from wxauth.models import SmsCode
from wxauth.sms.base import SmsMessage
from wxauth.sms.file import FileSender

HERE, THERE = "+8617400000001", "+8617400000002"


@pytest.fixture
def messages(settings: Any, tmp_path: Path) -> Path:
    """The settings of the demo, and messages to two numbers."""
    path = tmp_path / "text-messages.jsonl"
    settings.DEBUG, settings.DEMO_MESSAGES = True, path
    settings.WXAUTH_SMS_BACKEND = "wxauth.sms.file.FileSender"
    settings.WXAUTH_SMS_OPTIONS = {"path": str(path)}
    for number, sms_code in ((HERE, "111111"), (HERE, "222222"), (THERE, "333333")):
        send(path, number, sms_code)
    return path


def send(path: Path, number: str, sms_code: str) -> None:
    FileSender(path=path).send(
        SmsMessage(
            number=number, sms_code=sms_code, purpose=SmsCode.Purpose.LOGIN, app="mall", minutes=5
        )
    )


def read(phone: str) -> dict[str, Any]:
    response = views.text_message(RequestFactory().get("/", {"phone": phone}))
    assert "no-store" in response["Cache-Control"]
    return dict(json.loads(response.content))


def test_last_message_to_the_number_is_shown(messages: Path) -> None:
    assert read("174 0000 0001")["sms_code"] == "222222"
    assert read(THERE)["sms_code"] == "333333"


def test_long_file_is_read_from_its_end(messages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MESSAGES_READ", 150)
    assert read(THERE)["sms_code"] == "333333"
    with pytest.raises(Http404):
        read(HERE)


@pytest.mark.parametrize("phone", ["", "no number", "17400000009", "+12015550123"])
def test_number_without_a_message_is_not_found(messages: Path, phone: str) -> None:
    with pytest.raises(Http404):
        read(phone)


def test_before_the_first_message_nothing_is_found(messages: Path) -> None:
    messages.unlink()
    with pytest.raises(Http404):
        read(HERE)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", False),
        ("WXAUTH_SMS_BACKEND", "wxauth.sms.memory.MemorySender"),
        ("WXAUTH_SMS_BACKEND", None),
        ("WXAUTH_SMS_OPTIONS", {"path": "other.jsonl"}),
        ("WXAUTH_SMS_OPTIONS", {}),
    ],
)
def test_outside_the_demo_nothing_is_there(
    messages: Path, settings: Any, name: str, value: Any
) -> None:
    setattr(settings, name, value)
    with pytest.raises(Http404):
        read(HERE)
