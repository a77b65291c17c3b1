"""Setting the password of an account that has a phone number."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import (
    CommonPasswordValidator,
    MinimumLengthValidator,
    NumericPasswordValidator,
    get_default_password_validators,
    validate_password,
)
from django.core.exceptions import ValidationError
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from wxauth import backends, session_keys, transactions
from wxauth.conf import HostUser
from wxauth.devices import NOWHERE, Device
from wxauth.exceptions import NotRegistered, PasswordRefused, PhoneRequired
from wxauth.models import AuditEvent, LoginSession, PhoneNumber, SmsCode
from wxauth.services import audit
from wxauth.services.freshness import require_fresh
from wxauth.services.locking import lock_entrant
from wxauth.services.numbers import read_number
from wxauth.services.sessions import end_all
from wxauth.services.sms import prove_code, spend_code

_kept: ContextVar[UUID | None] = ContextVar("wxauth_kept_session", default=None)


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
    validate(password, user)
    proof = None
    if sms_code is not None:
        proof = prove_code(
            number=phone.number, purpose=SmsCode.Purpose.RESET_PASSWORD, sms_code=sms_code
        )

    def check() -> None:
        lock_entrant(user)
        if proof is not None:
            spend_code(proof)

    facts = {"device": device, "app": session.app, "by": "self" if proof is None else "sms"}
    change(user, password, keep=session, check=check, **facts)


@sensitive_variables("password")
def reset_password(
    *,
    phone: str,
    sms_code: str,
    password: str,
    purpose: SmsCode.Purpose = SmsCode.Purpose.RESET_PASSWORD,
    device: Device = NOWHERE,
) -> None:
    """
    Give the user of this number a password, and end all their sessions.

    Nothing is told of the number before its code was right. Raise ``PhoneInputInvalid``,
    ``PasswordRefused``, ``SmsCodeInvalid``; ``NotRegistered`` and ``UserInactive`` after it.
    """
    number = read_number(phone)
    validate(password, None)
    proof = prove_code(number=number, purpose=purpose, sms_code=sms_code)
    held = PhoneNumber.objects.find(number)
    if held is None:
        raise NotRegistered(ticket=None)
    user = held.user

    def check() -> None:
        now_held = PhoneNumber.objects.lock(number)
        if now_held is None or now_held.user_id != user.pk:
            raise NotRegistered(ticket=None)
        backends.check_entry(now_held.user)
        spend_code(proof)

    with audit.refusals(device=device, app=""):
        backends.check_entry(user)
        validate(password, user)
        change(user, password, keep=None, check=check, device=device, by="sms")


@sensitive_variables("password")
def validate(password: str, user: HostUser | None) -> None:
    """Raise ``PasswordRefused`` when the project's rules do not allow this password."""
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
def change(
    user: HostUser,
    password: str,
    *,
    keep: LoginSession | None,
    check: Callable[[], None],
    **facts: Any,
) -> None:
    """Set the password and end all sessions but ``keep``, once ``check`` has locked the user."""
    user.set_password(password)  # takes a tenth of a second: not inside the transaction
    sid = None if keep is None else keep.pk

    def step() -> list[UUID]:
        check()
        ended = end_all(user, keep=sid)
        with keeping_session(sid):
            user.save(update_fields=["password"])
        audit.record(AuditEvent.Kind.PASSWORD_CHANGED, user=user, **facts)
        return ended

    session_keys.forget(transactions.run(step))


@contextmanager
def keeping_session(sid: UUID | None) -> Iterator[None]:
    """Let this session stay when the password of its user is changed inside the block."""
    token = _kept.set(sid)
    try:
        yield
    finally:
        _kept.reset(token)


@receiver(post_save, dispatch_uid="wxauth.services.passwords")
def _follow(sender: Any, instance: Any, created: bool, **_: Any) -> None:
    """End the sessions of a user whose password is changed by other code of the project."""
    # What Django's own save() goes by. A hash that is only renewed at a sign-in does not count.
    if created or getattr(instance, "_password", None) is None:
        return
    if isinstance(instance, get_user_model()):
        ended = transactions.run(lambda: end_all(instance, keep=_kept.get()))
        transactions.run_after_commit(partial(session_keys.forget, ended))
