"""Signing in by a phone number: with the code of a text message, or with a password."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib.auth import authenticate
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from wxauth import backends, tokens, transactions, users
from wxauth.conf import HostUser, WechatApp, conf
from wxauth.devices import NOWHERE, Device
from wxauth.exceptions import NotRegistered, PasswordLoginFailed, SmsCodeInvalid, TooManyAttempts
from wxauth.identities import ConfirmedPerson
from wxauth.models import AuditEvent, LoginSession, PhoneNumber, SmsCode, Tally
from wxauth.services import audit, limits
from wxauth.services.attaching import (
    Arrival,
    PhoneSignIn,
    enter_by_number,
    enter_by_password,
)
from wxauth.services.limits import Counted
from wxauth.services.numbers import mask, read_number
from wxauth.services.open_data import Profile
from wxauth.services.phones import ProvedNumber, bind_new
from wxauth.services.sign_in import SignIn, complete_account, open_session
from wxauth.services.sms import SmsProof, prove_code, spend_code

# The user, and whether the account is new.
Entry = tuple[HostUser, bool]


def login_by_sms(
    *,
    phone: str,
    sms_code: str,
    purpose: SmsCode.Purpose = SmsCode.Purpose.LOGIN,
    app: str | None = None,
    device: Device = NOWHERE,
) -> SignIn:
    """
    Sign in the user to whom the number belongs.

    Raise ``SmsCodeInvalid``, ``UnknownApp``, ``PhoneInputInvalid``, ``UserInactive``; or
    ``NotRegistered`` without a ticket, which does not use the code up: it is still good for
    ``authorize_by_sms``.
    """
    wechat_app, number = conf.app(app), read_number(phone)
    proof = prove(number, sms_code, purpose=purpose, device=device, app=wechat_app)

    def enter(now: datetime) -> Entry:
        spend_code(proof)
        phone = PhoneNumber.objects.lock(number)
        if phone is None:
            raise NotRegistered(ticket=None)  # which undoes the spending
        backends.check_entry(phone.user)
        return phone.user, False

    return _sign_in(enter, app=wechat_app, device=device)


def authorize_by_sms(
    *,
    phone: str,
    sms_code: str,
    purpose: SmsCode.Purpose = SmsCode.Purpose.LOGIN,
    app: str | None = None,
    referrer: Any = None,
    scene: Any = None,
    device: Device = NOWHERE,
) -> SignIn:
    """
    Sign in the user to whom the number belongs, and register who has no account.

    Raise what ``login_by_sms`` raises but ``NotRegistered``. The account has no WeChat identity.
    """
    wechat_app, number = conf.app(app), read_number(phone)
    proof = prove(number, sms_code, purpose=purpose, device=device, app=wechat_app)

    def enter(now: datetime) -> Entry:
        spend_code(proof)
        phone = PhoneNumber.objects.lock(number)
        if phone is not None:
            backends.check_entry(phone.user)
            return phone.user, False
        user = conf.create_user(app=wechat_app)
        proved = ProvedNumber(number, PhoneNumber.Source.SMS)
        bind_new(user, proved, now=now, device=device, app=wechat_app.alias)
        complete_account(user, wechat_app, Profile(), referrer, identity=None, now=now, scene=scene)
        return user, True

    return _sign_in(enter, app=wechat_app, device=device)


def attach_by_sms(
    *,
    person: ConfirmedPerson,
    ticket: str,
    phone: str,
    sms_code: str,
    referrer: Any = None,
    scene: Any = None,
    device: Device = NOWHERE,
) -> PhoneSignIn:
    """
    Sign in a person whom WeChat has confirmed and who has proved a number: see ``enter_by_number``.

    Raise ``PhoneTaken``, ``SmsCodeInvalid``, ``TicketInvalid``, ``PhoneInputInvalid``,
    ``UserInactive``.
    """
    number = read_number(phone)
    proof = prove(number, sms_code, device=device, app=person.app)
    return enter_by_number(
        Arrival(person=person, ticket=ticket, referrer=referrer, scene=scene, device=device),
        ProvedNumber(number, PhoneNumber.Source.SMS),
        spend=lambda: spend_code(proof),
    )


@sensitive_variables("password")
def login_by_password(
    *, phone: str, password: str, app: str | None = None, device: Device = NOWHERE
) -> SignIn:
    """
    Sign in the user of this number, by Django's backends.

    Raise ``PasswordLoginFailed`` for a wrong password, an unknown number, a user without a
    password and one who may not come in, after the same work; ``TooManyAttempts``,
    ``UnknownApp``, ``PhoneInputInvalid``.
    """
    wechat_app, number = conf.app(app), read_number(phone)
    user = check_password(number, password, device=device, app=wechat_app)

    @sensitive_variables("password")
    def enter(now: datetime) -> Entry:
        # So that a password that is being replaced opens no session after all have been ended.
        held = users.lock(user)
        if held is None or not _is_right(held, user, password):
            raise PasswordLoginFailed(reason="the password has just changed")
        backends.check_entry(held)
        return held, False

    return _sign_in(enter, app=wechat_app, device=device)


@sensitive_variables("password")
def attach_by_password_login(
    *,
    person: ConfirmedPerson,
    ticket: str,
    phone: str,
    password: str,
    device: Device = NOWHERE,
) -> PhoneSignIn:
    """
    Do what ``login_by_password`` does, and link the person's identity to the user.

    See ``enter_by_password``. Raise ``TicketInvalid`` and ``PhoneTaken`` too.
    """
    number = read_number(phone)
    user = check_password(number, password, device=device, app=person.app)
    return enter_by_password(
        Arrival(person=person, ticket=ticket, device=device),
        user,
        number=number,
        is_right=lambda held: _is_right(held, user, password),
    )


def _sign_in(enter: Callable[[datetime], Entry], *, app: WechatApp, device: Device) -> SignIn:
    now = timezone.now()

    def step() -> tuple[LoginSession, bool]:
        user, registered = enter(now)
        session = open_session(user, None, app=app, device=device, now=now, registered=registered)
        return session, registered

    with audit.refusals(device=device, app=app.alias):
        session, registered = transactions.run(step)
    return SignIn(
        user=session.user,
        identity=None,
        session=session,
        tokens=tokens.issue(session),
        registered=registered,
    )


def prove(
    number: str,
    sms_code: str,
    *,
    purpose: SmsCode.Purpose = SmsCode.Purpose.LOGIN,
    device: Device,
    app: WechatApp,
) -> SmsProof:
    """Do what ``prove_code`` does, and write down a code that was wrong."""
    try:
        return prove_code(number=number, purpose=purpose, sms_code=sms_code)
    except SmsCodeInvalid:
        _record_refusal(number, by="sms", device=device, app=app)
        raise


@sensitive_variables("password")
def check_password(number: str, password: str, *, device: Device, app: WechatApp) -> HostUser:
    """
    Count an attempt at the password of this number, and return the user whose it is.

    Raise ``PasswordLoginFailed`` or ``TooManyAttempts``.
    """
    now = timezone.now()
    counted = (
        Counted(scope="password_number", ident=number, period=limits.HOUR),
        Counted(scope="password_address", ident=limits.network(device), period=limits.HOUR),
    )

    def count() -> None:
        wait = limits.count(*counted, now=now)
        if wait is not None:
            raise TooManyAttempts(reason="a limit of the hour is reached", retry_after=wait)

    transactions.run_for_good(count)
    user = authenticate(None, wxauth_phone=number, password=password)
    if user is None:
        _record_refusal(number, by="password", device=device, app=app)
        raise PasswordLoginFailed(reason="the backends know no such user")
    return user


@sensitive_variables("password")
def _is_right(held: HostUser, proved: HostUser, password: str) -> bool:
    """Tell whether the password that ``proved`` had is still that of the locked user."""
    return held.password == proved.password or held.check_password(password)


def _record_refusal(number: str, *, by: str, device: Device, app: WechatApp) -> None:
    """
    Write down a wrong proof: once in an hour for each number, bound or not.

    The same statements for both, or the time they take would tell which numbers have accounts.
    """
    now = timezone.now()
    tally = Counted(scope="refused", ident=number, period=limits.HOUR)

    def step() -> None:
        phone = PhoneNumber.objects.find(number)
        if not Tally.objects.add_one(tally.name(now), limit=1, expires_at=tally.end(now)):
            return
        audit.record(
            AuditEvent.Kind.SIGN_IN_REFUSED,
            user=phone.user if phone else None,
            device=device,
            app=app.alias,
            by=by,
            phone=mask(number),
        )

    transactions.run(step)
