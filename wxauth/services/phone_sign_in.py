"""Signing in by a phone number: with the code of a text message, or with a password."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib.auth import authenticate
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from wxauth import backends, session_keys, tickets, tokens, transactions
from wxauth.conf import HostUser, WechatApp, conf
from wxauth.exceptions import (
    NotRegistered,
    PasswordLoginFailed,
    PhoneTaken,
    SmsCodeInvalid,
    TooManyAttempts,
)
from wxauth.identities import ConfirmedPerson
from wxauth.models import AuditEvent, LoginSession, PhoneNumber, SmsCode, WechatIdentity
from wxauth.services import audit, limits
from wxauth.services.attaching import attach_by_password, attach_by_phone, record_conflict
from wxauth.services.devices import NOWHERE, Device
from wxauth.services.limits import Counted
from wxauth.services.numbers import mask, read_number
from wxauth.services.open_data import Profile
from wxauth.services.sign_in import (
    SignIn,
    complete_account,
    create_account,
    open_session,
)
from wxauth.services.sms import SmsProof, prove_code, spend_code
from wxauth.signals import phone_bound

# The user, their identity in the app if WeChat was asked, and whether the account is new.
Entry = tuple[HostUser, WechatIdentity | None, bool]


def login_by_sms(
    *, phone: str, sms_code: str, app: str | None = None, device: Device = NOWHERE
) -> SignIn:
    """
    Sign in the user to whom the number belongs.

    Raise ``SmsCodeInvalid``, ``UnknownApp``, ``PhoneInputInvalid``, ``UserInactive``; or
    ``NotRegistered`` without a ticket, which does not use the code up: it is still good for
    ``authorize_by_sms``.
    """
    wechat_app, number = conf.app(app), read_number(phone)
    proof = _prove(number, sms_code, device=device, app=wechat_app)

    def enter(now: datetime) -> Entry:
        phone = PhoneNumber.objects.lock(number)
        if phone is None:
            raise NotRegistered(ticket=None)
        spend_code(proof)
        backends.check_entry(phone.user)
        return phone.user, None, False

    return _sign_in(enter, app=wechat_app, device=device)


def authorize_by_sms(
    *,
    phone: str,
    sms_code: str,
    app: str | None = None,
    referrer: Any = None,
    device: Device = NOWHERE,
) -> SignIn:
    """
    Sign in the user to whom the number belongs, and register who has no account.

    Raise what ``login_by_sms`` raises but ``NotRegistered``. The account has no WeChat identity.
    """
    wechat_app, number = conf.app(app), read_number(phone)
    proof = _prove(number, sms_code, device=device, app=wechat_app)

    def enter(now: datetime) -> Entry:
        spend_code(proof)
        phone = PhoneNumber.objects.lock(number)
        if phone is not None:
            backends.check_entry(phone.user)
            return phone.user, None, False
        user = conf.create_user(app=wechat_app)
        _bind_first(user, number, device=device, now=now)
        complete_account(user, wechat_app, Profile(), referrer, identity=None, now=now)
        return user, None, True

    return _sign_in(enter, app=wechat_app, device=device)


def attach_by_sms(
    *,
    person: ConfirmedPerson,
    ticket: str,
    phone: str,
    sms_code: str,
    referrer: Any = None,
    device: Device = NOWHERE,
) -> SignIn:
    """
    Sign in a person whom WeChat has confirmed and who has proved a number: see ``attach_by_phone``.

    Without an account, one is made with both. ``ticket`` is used up. Raise ``PhoneTaken``,
    ``SmsCodeInvalid``, ``TicketInvalid``, ``PhoneInputInvalid``, ``UserInactive``.
    """
    number = read_number(phone)
    proof = _prove(number, sms_code, device=device, app=person.app)
    use_up = _once(lambda: tickets.use_up(ticket))

    def enter(now: datetime) -> Entry:
        spend_code(proof)
        identity = attach_by_phone(person, number, device=device, now=now)
        registered = identity is None
        if identity is None:
            identity = create_account(person, Profile(), referrer, now=now)
            _bind_first(identity.user, number, device=device, now=now)
        use_up()
        return identity.user, identity, registered

    try:
        return _sign_in(enter, app=person.app, device=device, person=person)
    except PhoneTaken:
        record_conflict(person, number, device=device)
        raise


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
    user = _check_password(number, password, device=device, app=wechat_app)
    return _sign_in(lambda now: (user, None, False), app=wechat_app, device=device)


@sensitive_variables("password")
def attach_by_password_login(
    *,
    person: ConfirmedPerson,
    ticket: str,
    phone: str,
    password: str,
    device: Device = NOWHERE,
) -> SignIn:
    """
    Do what ``login_by_password`` does, and give the person's identity to the user.

    ``ticket`` is used up. Raise ``TicketInvalid`` and ``PhoneTaken`` too.
    """
    number = read_number(phone)
    user = _check_password(number, password, device=device, app=person.app)
    use_up = _once(lambda: tickets.use_up(ticket))

    def enter(now: datetime) -> Entry:
        identity = attach_by_password(person, number, user=user, device=device, now=now)
        use_up()
        return user, identity, False

    try:
        return _sign_in(enter, app=person.app, device=device, person=person)
    except PhoneTaken:
        record_conflict(person, number, device=device)
        raise


def _sign_in(
    enter: Callable[[datetime], Entry],
    *,
    app: WechatApp,
    device: Device,
    person: ConfirmedPerson | None = None,
) -> SignIn:
    now = timezone.now()

    def step() -> tuple[Entry, LoginSession]:
        user, identity, registered = entry = enter(now)
        session = open_session(
            user, identity, app=app, device=device, now=now, registered=registered
        )
        return entry, session

    (user, identity, registered), session = transactions.run(step)
    if person is not None:
        session_keys.keep(session.id, person.session_key)
    return SignIn(
        user=user,
        identity=identity,
        session=session,
        tokens=tokens.issue(session),
        registered=registered,
    )


def _prove(number: str, sms_code: str, *, device: Device, app: WechatApp) -> SmsProof:
    try:
        return prove_code(number=number, purpose=SmsCode.Purpose.LOGIN, sms_code=sms_code)
    except SmsCodeInvalid:
        _record_refusal(number, by="sms", device=device, app=app)
        raise


@sensitive_variables("password")
def _check_password(number: str, password: str, *, device: Device, app: WechatApp) -> HostUser:
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


def _record_refusal(number: str, *, by: str, device: Device, app: WechatApp) -> None:
    phone = PhoneNumber.objects.filter(number=number).select_related("user").first()
    transactions.run(
        lambda: audit.record(
            AuditEvent.Kind.SIGN_IN_REFUSED,
            user=phone.user if phone else None,
            device=device,
            app=app.alias,
            by=by,
            phone=mask(number),
        )
    )


def _bind_first(user: HostUser, number: str, *, device: Device, now: datetime) -> None:
    # A number that somebody else binds at the same moment is refused by the constraint, and the
    # transaction runs again: then it is theirs.
    phone = PhoneNumber.objects.create(
        user=user, number=number, source=PhoneNumber.Source.SMS, verified_at=now
    )
    audit.record(AuditEvent.Kind.PHONE_BOUND, user=user, device=device, phone=phone.masked)
    transactions.send_after_commit(phone_bound, user=user, phone=phone, previous=None)


def _once(act: Callable[[], None]) -> Callable[[], None]:
    """Return a function that acts the first time only: a transaction may run twice."""
    done = False

    def once() -> None:
        nonlocal done
        if not done:
            act()
            done = True

    return once
