"""What the tests of all providers share."""

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from wxauth.exceptions import WxauthError
from wxauth.sms.base import SmsMessage, SmsSender

SECRET = "made-up-secret-of-the-provider"
CODE = "424242"


def message(**fields: Any) -> SmsMessage:
    defaults = {"number": "+8617400000009", "purpose": "login", "app": "mall", "minutes": 5}
    return SmsMessage(**{**defaults, "sms_code": CODE, **fields})


def failure_of(sender: SmsSender, caplog: Any) -> WxauthError:
    """Return what sending raises; assert that neither code nor secret can be read anywhere."""
    with caplog.at_level("DEBUG"), pytest.raises(WxauthError) as raised:
        sender.send(message())
    trace = "".join(traceback.format_exception(raised.value))
    for text in (caplog.text, trace, repr(raised.value), repr(sender)):
        assert CODE not in text
        assert SECRET not in text
        assert "17400000009" not in text
    return raised.value


Factory = Callable[..., SmsSender]
