"""Codes by text message: sent, proved, spent."""

import hmac
import logging
import secrets
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from wxauth import crypto, transactions
from wxauth.conf import conf
from wxauth.devices import NOWHERE, Device
from wxauth.exceptions import (
    SmsCodeInvalid,
    SmsDisabled,
    SmsRateLimited,
    SmsRefused,
    SmsUnavailable,
    WxauthError,
)
from wxauth.models import SmsCode
from wxauth.services import limits
from wxauth.services.limits import Counted
from wxauth.services.numbers import read_number, read_sms_number
from wxauth.sms.base import SmsMessage

logger = logging.getLogger("wxauth.sms")

LIFETIME = timedelta(minutes=5)
GAP = timedelta(seconds=60)  # between two messages for one number and purpose
ATTEMPTS = 5  # at one code
DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsProof:
    """Somebody has just shown the code that was sent to ``number``; ``spend_code`` uses it up."""

    number: str
    pk: int
    digest: str = field(repr=False)


@sensitive_variables("sms_code")
def send_sms_code(
    *, phone: str, purpose: str, app: str | None = None, device: Device = NOWHERE
) -> None:
    """
    Send a new code to ``phone``, as typed; the one before it is dead from now on.

    The answer is the same whether the number is bound or not. Raise ``SmsDisabled``,
    ``UnknownApp``, ``PhoneInputInvalid``, ``PhoneCountryNotAllowed``, ``SmsRateLimited``,
    ``SmsUnavailable`` or ``SmsRefused``. A message that certainly was not sent counts for
    nothing: the person may ask again at once.
    """
    make_sender = conf.sms_backend
    if make_sender is None:
        raise SmsDisabled(reason="WXAUTH_SMS_BACKEND is not set")
    alias = conf.app(app).alias
    number = read_sms_number(phone)
    sms_code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    now = timezone.now()
    digest = _digest(sms_code, number, purpose, secret=conf.encryption_secrets[0])
    counted = (
        Counted(scope="sms_number", ident=number, period=limits.DAY),
        Counted(scope="sms_device", ident=limits.fingerprint(device), period=limits.DAY),
        Counted(scope="sms_address", ident=limits.network(device), period=limits.DAY),
    )
    transactions.run(lambda: _claim(number, purpose, digest, counted, now=now))
    message = SmsMessage(
        number=number,
        sms_code=sms_code,
        purpose=purpose,
        app=alias,
        minutes=int(LIFETIME.total_seconds() // 60),
    )
    try:
        _send(message)
    except WxauthError as error:
        if not getattr(error, "maybe_sent", False):
            transactions.run(lambda: _undo(number, purpose, digest, counted, now=now))
        raise


def prove_code(*, number: str, purpose: str, sms_code: str) -> SmsProof:
    """
    Count an attempt at the code of this number and purpose, and return the proof that it is right.

    Raise ``SmsCodeInvalid`` whatever is wrong with it. Must not be called inside a transaction,
    whose end could undo the count.
    """
    counted = transactions.run_for_good(
        lambda: SmsCode.objects.count_attempt(
            number=number, purpose=purpose, now=timezone.now(), limit=ATTEMPTS
        )
    )
    row = SmsCode.objects.find(number=number, purpose=purpose)
    kept = row.digest if row is not None and counted else ""
    typed = unicodedata.normalize("NFKC", sms_code).strip()
    # All keys, so that a code survives the rotation of the secret.
    right = [
        hmac.compare_digest(kept, _digest(typed, number, purpose, secret=secret))
        for secret in conf.encryption_secrets
    ]
    if row is None or not any(right):
        raise SmsCodeInvalid(reason="wrong, expired, used, or guessed at too often")
    return SmsProof(number=number, pk=row.pk, digest=kept)


def spend_code(proof: SmsProof) -> None:
    """Use the code up, in the transaction it is good for; all but one get ``SmsCodeInvalid``."""
    if not SmsCode.objects.spend(proof.pk, proof.digest):
        raise SmsCodeInvalid(reason="used by another request at the same moment")


def check_sms_code(*, phone: str, purpose: str, sms_code: str) -> None:
    """
    Tell by ``SmsCodeInvalid`` whether the code of this number, as typed, is wrong.

    It counts as an attempt, and a right code stays good. Raise ``PhoneInputInvalid`` too.
    """
    prove_code(number=read_number(phone), purpose=purpose, sms_code=sms_code)


def redeem_code(*, number: str, purpose: str, sms_code: str) -> None:
    """Do both: ``prove_code`` and ``spend_code``."""
    proof = prove_code(number=number, purpose=purpose, sms_code=sms_code)
    transactions.run(lambda: spend_code(proof))


def _claim(
    number: str, purpose: str, digest: str, counted: tuple[Counted, ...], *, now: datetime
) -> None:
    claimed = SmsCode.objects.claim(
        number=number,
        purpose=purpose,
        digest=digest,
        now=now,
        expires_at=now + LIFETIME,
        gap=GAP,
    )
    if not claimed:
        row = SmsCode.objects.find(number=number, purpose=purpose)
        seconds = int((row.sent_at + GAP - now).total_seconds()) + 1 if row else 1
        raise SmsRateLimited(reason="a message was sent just now", retry_after=max(seconds, 1))
    wait = limits.count(*counted, now=now)
    if wait is not None:
        raise SmsRateLimited(reason="a limit of the day is reached", retry_after=wait)


def _undo(
    number: str, purpose: str, digest: str, counted: tuple[Counted, ...], *, now: datetime
) -> None:
    SmsCode.objects.give_back(number=number, purpose=purpose, digest=digest, sent_at=now - GAP)
    limits.take_back(*counted, now=now)


@sensitive_variables()
def _send(message: SmsMessage) -> None:
    make_sender = conf.sms_backend
    assert make_sender is not None
    try:
        make_sender(**conf.sms_options).send(message)
    except SmsRefused as error:
        logger.error("the provider refuses to send: %s", error.reason)
        raise
    except WxauthError:
        raise
    except Exception as error:  # a sender of the host's, or what its SDK has not foreseen
        logger.error("the sender raised %s", type(error).__name__)
        # from None: its text may hold the code, or a secret of the provider.
        failure = SmsUnavailable(reason=f"raised {type(error).__name__}", maybe_sent=True)
    else:
        return
    raise failure from None


def _digest(sms_code: str, number: str, purpose: str, *, secret: str) -> str:
    return crypto.keyed_digest(sms_code, secret=secret, context=f"sms:{purpose}:{number}")
