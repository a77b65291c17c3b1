"""Giving a WeChat identity to the account that a phone number or a password has proved."""

from datetime import datetime

from django.utils import timezone

from wxauth import backends, identities, transactions
from wxauth.conf import HostUser
from wxauth.exceptions import PhoneTaken
from wxauth.identities import ConfirmedPerson
from wxauth.models import AuditEvent, LoginSession, PasswordDate, PhoneNumber, WechatIdentity
from wxauth.services import audit
from wxauth.services.devices import Device
from wxauth.services.numbers import mask
from wxauth.services.sessions import end_sessions


def attach_by_phone(
    person: ConfirmedPerson, number: str, *, device: Device, now: datetime
) -> WechatIdentity | None:
    """
    Return the identity with which a person enters who has just proved ``number``.

    Known to us: theirs, whoever the number belongs to. Unknown, and the number is of a user
    without an identity in this app: it is given to that user. Unknown, and the number is of
    nobody: None, an account is to be made. Raise ``PhoneTaken`` when the user has another
    identity in this app, and ``UserInactive``. Call it inside ``transactions.run``.
    """
    match = identities.find(person)
    if match is not None:
        backends.check_entry(match.user)
        return identities.settle(match, person, now=now)
    phone = PhoneNumber.objects.lock(number)
    if phone is None:
        return None
    identity = _attach(person, phone.user, by="phone", device=device, now=now)
    _clear(phone, device=device)
    return identity


def attach_by_password(
    person: ConfirmedPerson, number: str, *, user: HostUser, device: Device, now: datetime
) -> WechatIdentity:
    """
    Return the identity with which a person enters who has just proved the password of ``user``.

    Raise ``PhoneTaken`` when the person is known as another user, or the user as another person.
    """
    match = identities.find(person)
    if match is not None:
        if match.user.pk != user.pk:
            raise PhoneTaken(reason="the person is another user")
        return identities.settle(match, person, now=now)
    PhoneNumber.objects.lock(number)
    return _attach(person, user, by="password", device=device, now=now)


def record_conflict(person: ConfirmedPerson, number: str, *, device: Device) -> None:
    """Write a ``PhoneTaken`` down, after the transaction that it has undone."""
    phone = PhoneNumber.objects.filter(number=number).select_related("user").first()
    transactions.run(
        lambda: audit.record(
            AuditEvent.Kind.PHONE_CONFLICT,
            user=phone.user if phone else None,
            device=device,
            app=person.app.alias,
            phone=mask(number),
        )
    )


def _attach(
    person: ConfirmedPerson, user: HostUser, *, by: str, device: Device, now: datetime
) -> WechatIdentity:
    backends.check_entry(user)
    if WechatIdentity.objects.of(user, app_id=person.app.app_id) is not None:
        raise PhoneTaken(reason="its user has another identity in this app")
    identity = identities.register(person, user, now=now)
    audit.record(
        AuditEvent.Kind.WECHAT_BOUND, user=user, device=device, app=person.app.alias, by=by
    )
    return identity


def _clear(phone: PhoneNumber, *, device: Device) -> None:
    """
    Leave nothing behind by which somebody else could still come in.

    Whoever had prepared this account for its owner, or had the number before, loses their
    sessions. A password stays only when it was set after the number had been proved.
    """
    user = phone.user
    open_sessions = LoginSession.objects.open_of(user, now=timezone.now())
    end_sessions(sessions=open_sessions.select_related("user"))
    if not user.has_usable_password() or PasswordDate.objects.was_set_since(
        user, phone.verified_at
    ):
        return
    user.set_unusable_password()
    user.save(update_fields=["password"])
    audit.record(AuditEvent.Kind.PASSWORD_CHANGED, user=user, device=device, by="wiped")
