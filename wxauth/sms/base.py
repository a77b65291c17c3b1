"""What a sender is: a message goes in, and an exception of ours comes out when it does not go."""

import logging
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsMessage:
    """
    One code on its way to a phone.

    ``number`` is E.164, ``purpose`` one of ``SmsCode.Purpose``, ``app`` the alias for which it is
    asked, ``minutes`` how long the code is good for.
    """

    number: str
    sms_code: str = field(repr=False)
    purpose: str
    app: str
    minutes: int


class SmsSender:
    """
    The base of all senders; ``WXAUTH_SMS_OPTIONS`` are its keyword arguments.

    ``send`` returns when the provider has taken the message. It raises ``SmsUnavailable`` for an
    outage (``maybe_sent=True`` when nobody can tell whether the message went out), ``SmsRefused``
    when an operator must act, ``SmsRateLimited`` and ``PhoneInputInvalid`` for what the provider
    says of the number. No exception may hold the code or a secret of the provider.
    """

    # True: the code ends where others can read it. A system check refuses it without DEBUG.
    for_development = False

    def send(self, message: SmsMessage) -> None:
        raise NotImplementedError


class Silence(logging.Filter):
    """Drops all records: SDKs write whole requests into their logs, with codes and numbers."""

    def filter(self, record: logging.LogRecord) -> bool:
        return False


def never_left(said: str) -> bool:
    """Tell from the text of a network error whether the request cannot have arrived."""
    # urllib3's classes, which the SDKs pass on as text only.
    return any(
        name in said for name in ("NewConnectionError", "ConnectTimeout", "NameResolutionError")
    )
