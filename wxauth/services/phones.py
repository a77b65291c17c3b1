"""Binding a phone number that WeChat vouches for, or that a text message has reached."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import phonenumbers
from django.utils import timezone

from wxauth import backends, session_keys, transactions
from wxauth.conf import AppKind, HostUser, WechatApp, conf
from wxauth.devices import NOWHERE, Device
from wxauth.exceptions import (
    PhoneDataDisabled,
    PhoneNumberInvalid,
    PhoneTaken,
    WechatDataInvalid,
    WechatPhoneCodeInvalid,
)
from wxauth.models import AuditEvent, LoginSession, PhoneNumber, SmsCode, WechatIdentity
from wxauth.services import audit
from wxauth.services.freshness import require_fresh
from wxauth.services.locking import lock_entrant
from wxauth.services.numbers import read_number
from wxauth.services.open_data import OpenData, open_data
from wxauth.services.sms import redeem_code
from wxauth.signals import phone_bound
from wxauth.wechat import client

_COUNTRY = re.compile(r"[1-9][0-9]{0,3}")
_DIGITS = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class ProvedNumber:
    """A number in E.164 that somebody has just proved to be theirs, and how."""

    number: str = field(repr=False)
    source: PhoneNumber.Source


def bind_phone_by_code(
    *, session: LoginSession, phone_code: str, app: str | None = None, device: Device = NOWHERE
) -> PhoneNumber:
    """
    Bind the number behind the code of WeChat's phone button, which is sent to WeChat together
    with the openid of the signed-in person, so that nobody can bring the code of somebody else.
    ``app`` is the alias of the mini program with the button; None is the session's.

    Raise ``UnknownApp``, ``PhoneTaken``, ``PhoneNumberInvalid``, or the ``WechatError`` that
    WeChat answers.
    """
    wechat_app = _app(session, app)
    identity = _identity(session, wechat_app)
    if identity is None:
        raise WechatPhoneCodeInvalid(reason="the user is not known in this app")
    number = number_of_code(wechat_app, openid=identity.openid, phone_code=phone_code)
    return _bind(
        session.user,
        number,
        source=PhoneNumber.Source.PHONE_CODE,
        app=wechat_app.alias,
        device=device,
    )


def bind_phone_by_data(
    *,
    session: LoginSession,
    data: OpenData,
    login_code: str | None = None,
    app: str | None = None,
    device: Device = NOWHERE,
) -> PhoneNumber:
    """
    Bind the number inside ``encryptedData``, as clients without the phone button's code send it.

    It opens with the session_key kept at sign-in, or with that of ``login_code``, which must be
    a code of the same person, in the mini program with the alias ``app``; None is the session's.
    Raise what ``open_data`` raises, ``UnknownApp``, ``PhoneDataDisabled``, ``PhoneTaken``,
    ``PhoneNumberInvalid``, or the ``WechatError`` that WeChat answers.
    """
    check_data_is_taken()
    wechat_app = _app(session, app)
    identity = _identity(session, wechat_app)
    if identity is None:
        raise WechatDataInvalid(reason="the user is not known in this app")
    if login_code is None:
        session_key: str | None = session_keys.fetch(session.id)
    else:
        session_key = _renew_session_key(session, identity, wechat_app, login_code)
    number = number_of_data(wechat_app, openid=identity.openid, session_key=session_key, data=data)
    return _bind(
        session.user,
        number,
        source=PhoneNumber.Source.ENCRYPTED_DATA,
        app=wechat_app.alias,
        device=device,
    )


def read_phone_code(*, phone_code: str, app: str | None = None) -> str:
    """
    Spend the code of the phone button, whoever's it is, and return the number in E.164.

    It proves nothing about who asks. Raise ``UnknownApp`` or what ``number_of_code`` raises.
    """
    wechat_app = conf.app(app, kind=AppKind.MINI_PROGRAM)
    return number_of_code(wechat_app, openid=None, phone_code=phone_code)


def number_of_code(app: WechatApp, *, openid: str | None, phone_code: str) -> str:
    """
    Spend the phone code, which must be this person's if one is named; return the number in E.164.

    Raise ``PhoneNumberInvalid``, or the ``WechatError`` that WeChat answers.
    """
    info = client.phone_number(app, phone_code=phone_code, openid=openid)
    return to_e164(country_code=info.country_code, pure_number=info.pure_number)


def number_of_data(app: WechatApp, *, openid: str, session_key: str | None, data: OpenData) -> str:
    """Return the number in E.164 inside ``data``; raise what ``open_data`` raises."""
    opened = open_data(data, session_key=session_key, app_id=app.app_id, openid=openid)
    return to_e164(
        country_code=str(opened.get("countryCode", "")),
        pure_number=str(opened.get("purePhoneNumber", "")),
    )


def check_data_is_taken() -> None:
    """Raise ``PhoneDataDisabled`` when the project takes the phone button's code only."""
    if not conf.phone_by_encrypted_data:
        raise PhoneDataDisabled()


def bind_phone_by_sms(
    *,
    session: LoginSession,
    phone: str,
    sms_code: str,
    purpose: SmsCode.Purpose = SmsCode.Purpose.BIND,
    device: Device = NOWHERE,
) -> PhoneNumber:
    """
    Bind the number to which the code was sent, for this purpose.

    Raise ``PhoneInputInvalid``, ``SmsCodeInvalid``, ``PhoneTaken``; ``FreshSignInRequired``,
    since the number is a way to sign in from now on, and nothing ties it to the person: a token
    that was stolen must not be enough to add one.
    """
    require_fresh(session)
    number = read_number(phone)
    redeem_code(number=number, purpose=purpose, sms_code=sms_code)
    source = PhoneNumber.Source.SMS
    return _bind(session.user, number, source=source, app=session.app, device=device)


def bind_new(
    user: HostUser, proved: ProvedNumber, *, now: datetime, device: Device, app: str
) -> None:
    """Bind a number that nobody has to a user who has none, inside a transaction."""
    # The constraint refuses one of two who do so at once; run again, it is the other's.
    phone = PhoneNumber.objects.create(
        user=user, number=proved.number, source=proved.source, verified_at=now
    )
    kind = AuditEvent.Kind.PHONE_BOUND
    facts = {"phone": phone.masked, "source": str(proved.source)}
    audit.record(kind, user=user, device=device, app=app, **facts)
    transactions.send_after_commit(phone_bound, user=user, phone=phone, previous=None)


def to_e164(*, country_code: str, pure_number: str) -> str:
    """
    Return ``+8613800138000`` for ``86`` and ``13800138000``, or raise ``PhoneNumberInvalid``.

    Possible by its length is enough: WeChat vouches for it, and new ranges open faster than
    numbering plans are published.
    """
    number = None
    # Without its country a Chinese number reads as an American one.
    if _COUNTRY.fullmatch(country_code) and _DIGITS.fullmatch(pure_number):
        with suppress(phonenumbers.NumberParseException):
            number = phonenumbers.parse(f"+{country_code}{pure_number}")
    if number is None or not phonenumbers.is_possible_number(number):
        raise PhoneNumberInvalid(reason="not a possible number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _app(session: LoginSession, alias: str | None) -> WechatApp:
    return conf.app(alias or session.app or None, kind=AppKind.MINI_PROGRAM)


def _identity(session: LoginSession, app: WechatApp) -> WechatIdentity | None:
    identity = session.identity
    if identity is not None and identity.app_id == app.app_id:
        return identity
    return WechatIdentity.objects.of(session.user, app_id=app.app_id)


def _renew_session_key(
    session: LoginSession, identity: WechatIdentity, app: WechatApp, login_code: str
) -> str | None:
    person = backends.confirm(login_code=login_code, app=app.alias)
    if person.openid != identity.openid:
        raise WechatDataInvalid(reason="the code is of another person than the signed-in one")
    if identity == session.identity:
        # This code has pushed out the key that was kept.
        session_keys.keep(session.id, person.session_key)
    return person.session_key


def _bind(
    user: HostUser,
    number: str,
    *,
    source: PhoneNumber.Source,
    app: str = "",
    device: Device = NOWHERE,
) -> PhoneNumber:
    def step() -> PhoneNumber | None:
        lock_entrant(user)
        if PhoneNumber.objects.holder_id(number) not in (None, user.pk):
            return None
        phone = PhoneNumber.objects.of(user) or PhoneNumber(user=user)
        previous = phone.number if phone.pk else None
        phone.number, phone.source, phone.verified_at = number, source, timezone.now()
        phone.save()
        audit.record(
            AuditEvent.Kind.PHONE_BOUND,
            user=user,
            device=device,
            app=app,
            phone=phone.masked,
            source=source,
            replaced=PhoneNumber(number=previous).masked if previous else None,
        )
        transactions.send_after_commit(phone_bound, user=user, phone=phone, previous=previous)
        return phone

    # Two users may both find the number free: then the constraint refuses one, who looks again.
    phone = transactions.run(step)
    if phone is None:
        masked = PhoneNumber(number=number).masked
        kind = AuditEvent.Kind.PHONE_CONFLICT
        audit.record_refusal(kind, user=user, device=device, app=app, phone=masked, source=source)
        raise PhoneTaken(reason="bound by another user")
    return phone
