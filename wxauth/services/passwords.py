"""Setting the password of an account that has a phone number."""

from collections.abc import Callable
from functools import partial

from django.contrib.auth.password_validation import (
    CommonPasswordValidator,
    MinimumLengthValidator,
    NumericPasswordValidator,
    get_default_password_validators,
    validate_password,
)
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from wxauth import backends, transactions
from wxauth.conf import HostUser
from wxauth.exceptions import NotRegistered, PasswordRefused, PhoneRequired
from wxauth.models import AuditEvent, LoginSession, PasswordDate, PhoneNumber, SmsCode
from wxauth.services import audit
from wxauth.services.devices import NOWHERE, Device
from wxauth.services.freshness import require_fresh
from wxauth.services.numbers import read_number
from wxauth.services.sessions import end_sessions
from wxauth.services.sms import prove_code, spend_code


class LongEnough(MinimumLengthValidator):
    """Django's own rule, in a sentence that has a translation."""

    def validate(self, password: str, user: HostUser | None = None) -> None:
        if len(password) < self.min_length:
            raise ValidationError(
                _("This password is too short: it needs %(min_length)d characters."),
                code="password_too_short",
                params={"min_length": self.min_length},
            )


@sensitive_variables("password")
def set_password(
    *,
    session: LoginSession,
    password: str,
    sms_code: str | None = None,
    device: Device = NOWHERE,
) -> None:
    """
    Give the signed-in user this password, and end their other sessions.

    With a code sent to their own number for ``reset_password``, or in a session that is fresh.
    Raise ``PhoneRequired``, ``PasswordRefused``, ``FreshSignInRequired``, ``SmsCodeInvalid``.
    """
    user = session.user
    phone = PhoneNumber.objects.of(user)
    if phone is None:
        raise PhoneRequired(reason="a password without a number is of no use")
    if sms_code is None:
        require_fresh(session)
    _validate(password, user)
    spend: Callable[[], None] | None = None
    if sms_code is not None:
        proof = prove_code(
            number=phone.number, purpose=SmsCode.Purpose.RESET_PASSWORD, sms_code=sms_code
        )
        spend = partial(spend_code, proof)
    _change(user, password, keep=session, spend=spend, device=device)


@sensitive_variables("password")
def reset_password(*, phone: str, sms_code: str, password: str, device: Device = NOWHERE) -> None:
    """
    Give the user of this number a password, and end all their sessions.

    Nothing is told of the number before its code was right. Raise ``PhoneInputInvalid``,
    ``PasswordRefused``, ``SmsCodeInvalid``; ``NotRegistered`` and ``UserInactive`` after it.
    """
    number = read_number(phone)
    _validate(password, None)
    proof = prove_code(number=number, purpose=SmsCode.Purpose.RESET_PASSWORD, sms_code=sms_code)
    held = PhoneNumber.objects.filter(number=number).select_related("user").first()
    if held is None:
        raise NotRegistered(ticket=None)
    backends.check_entry(held.user)
    _validate(password, held.user)
    _change(held.user, password, keep=None, spend=partial(spend_code, proof), device=device)


@sensitive_variables("password")
def _validate(password: str, user: HostUser | None) -> None:
    # A project without rules gets the least that a password needs.
    validators = get_default_password_validators() or [
        LongEnough(),
        CommonPasswordValidator(),
        NumericPasswordValidator(),
    ]
    try:
        validate_password(password, user, validators)
    except ValidationError as error:
        messages = error.messages
    else:
        return
    raise PasswordRefused(messages=messages)


@sensitive_variables("password")
def _change(
    user: HostUser,
    password: str,
    *,
    keep: LoginSession | None,
    spend: Callable[[], None] | None,
    device: Device,
) -> None:
    user.set_password(password)  # takes a tenth of a second: not inside the transaction
    now = timezone.now()

    def step() -> None:
        if spend is not None:
            spend()
        user.save(update_fields=["password"])
        PasswordDate.objects.note(user, now=now)
        audit.record(
            AuditEvent.Kind.PASSWORD_CHANGED,
            user=user,
            device=device,
            by="sms" if spend else "self",
        )
        others = LoginSession.objects.open_of(user, now=now).select_related("user")
        end_sessions(sessions=others.exclude(pk=keep.pk) if keep else others)

    transactions.run(step)
