"""Accounts that begin with a phone number and a password, and how that password is changed."""

from dataclasses import replace
from typing import Any

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from wxauth import transactions
from wxauth.conf import HostUser, conf
from wxauth.devices import NOWHERE, Device
from wxauth.exceptions import AlreadyRegistered, PhoneRequired
from wxauth.models import LoginSession, PhoneNumber, SmsCode
from wxauth.services import audit
from wxauth.services.locking import lock_entrant
from wxauth.services.numbers import read_number
from wxauth.services.open_data import Profile
from wxauth.services.passwords import change, validate
from wxauth.services.phone_sign_in import check_password, prove
from wxauth.services.phones import ProvedNumber, bind_new
from wxauth.services.sign_in import complete_account
from wxauth.services.sms import spend_code


@sensitive_variables("password")
def register_by_sms(
    *,
    phone: str,
    sms_code: str,
    password: str,
    purpose: SmsCode.Purpose = SmsCode.Purpose.LOGIN,
    nickname: str = "",
    ext: dict[str, Any] | None = None,
    app: str | None = None,
    referrer: Any = None,
    device: Device = NOWHERE,
) -> HostUser:
    """
    Make the account of the number to which the code was sent. Nobody is signed in.

    Raise ``AlreadyRegistered``, which does not use the code up; ``PasswordRefused``,
    ``SmsCodeInvalid``, ``PhoneInputInvalid``, ``UnknownApp``.
    """
    wechat_app, number = conf.app(app), read_number(phone)
    validate(password, None)
    proof = prove(number, sms_code, purpose=purpose, device=device, app=wechat_app)

    def step() -> HostUser:
        spend_code(proof)
        if PhoneNumber.objects.holder_id(number) is not None:
            raise AlreadyRegistered(reason="the number has an account")
        now = timezone.now()
        user = conf.create_user(app=wechat_app)
        proved = ProvedNumber(number, PhoneNumber.Source.SMS)
        bind_new(user, proved, now=now, device=device, app=wechat_app.alias)
        profile = replace(Profile(), nickname=nickname)
        complete_account(user, wechat_app, profile, referrer, identity=None, now=now, ext=ext)
        return user

    with audit.refusals(device=device, app=wechat_app.alias):
        user = transactions.run(step)
    change(user, password, keep=None, check=lambda: lock_entrant(user), device=device, by="sms")
    return user


@sensitive_variables("old", "password")
def change_password(
    *, session: LoginSession, old: str, password: str, device: Device = NOWHERE
) -> None:
    """
    Replace the password of the signed-in user, who proves the one before; end other sessions.

    Raise ``PhoneRequired``, ``PasswordLoginFailed``, ``TooManyAttempts``, ``PasswordRefused``.
    """
    phone = PhoneNumber.objects.of(session.user)
    if phone is None:
        raise PhoneRequired(reason="a password without a number is of no use")
    user = check_password(phone.number, old, device=device, app=conf.app(session.app or None))
    validate(password, user)
    facts = {"device": device, "app": session.app, "by": "self"}
    change(user, password, keep=session, check=lambda: lock_entrant(user), **facts)
