"""
Signing in by WeChat and a phone number together: the person, the number, and whose it is.

A phone code that has been exchanged is paid for, so all that can be refused without it is refused
before, and it is not exchanged for people who have a number already.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.utils import timezone

from wxauth import backends, identities, session_keys, tickets, transactions, users
from wxauth.conf import HostUser
from wxauth.exceptions import PhoneTaken, StoreUnavailable, UserInactive
from wxauth.identities import ConfirmedPerson
from wxauth.models import AuditEvent, LoginSession, PhoneNumber, WechatIdentity
from wxauth.services import audit
from wxauth.services.devices import NOWHERE, Device
from wxauth.services.open_data import OpenData, Profile
from wxauth.services.phones import check_data_is_taken, number_of_code, number_of_data
from wxauth.services.sessions import revoke
from wxauth.services.sign_in import (
    SignIn,
    create_account,
    enter,
    hand_over,
    issue_ticket,
    open_wechat_session,
)
from wxauth.signals import phone_bound, phone_conflict, wechat_bound
from wxauth.wechat import client


@dataclass(frozen=True, slots=True)
class PhoneCode:
    """
    The code of WeChat's phone button.

    Raise ``WechatPhoneCodeInvalid`` when it cannot be one: before a login code is spent for it.
    """

    text: str = field(repr=False)

    def __post_init__(self) -> None:
        client.check_phone_code(self.text)


@dataclass(frozen=True, slots=True)
class ProvedNumber:
    """A number in E.164 that somebody has just proved to be theirs, and how."""

    number: str = field(repr=False)
    source: PhoneNumber.Source


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSignIn:
    """
    A sign-in. ``phone_conflict``: the number belongs to another user and stays theirs.
    ``linked``: the account was found by the number, and this WeChat identity is now linked to it.
    """

    sign_in: SignIn
    phone_conflict: bool
    linked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What the transaction has written."""

    identity: WechatIdentity
    session: LoginSession
    registered: bool = False
    phone_conflict: bool = False
    linked: bool = False
    ended: list[UUID] = field(default_factory=list)


def phone_login(
    *,
    person: ConfirmedPerson,
    proof: PhoneCode | OpenData,
    ticket: str | None = None,
    referrer: Any = None,
    device: Device = NOWHERE,
) -> PhoneSignIn:
    """
    Sign in a known person; else make an account with the number, or find the one that has it.

    Known by openid or unionid: signed in, and the number is bound when they have none and nobody
    else has it. Unknown, the number is free: a new account. Unknown, the number's user has no
    WeChat identity in this app: this one is linked to that user, whose other sessions end and
    whose password becomes unusable (see ``_link``). ``ticket`` is used up by what succeeds.

    Raise ``PhoneTaken`` with a ticket when the number's user has another identity in this app,
    ``UserInactive``, ``TicketInvalid``, and what ``bind_phone_by_code`` and ``bind_phone_by_data``
    raise for the proof.
    """
    if isinstance(proof, OpenData):
        check_data_is_taken()
    attempt = _Attempt(person, proof, ticket, referrer, device)
    try:
        return attempt.run()
    except UserInactive:
        attempt.record_refusal()
        raise


class _LookAgain(Exception):
    """What was read is no longer so: the number has changed hands, or the person is known now."""


class _Attempt:
    """One phone sign-in: what is known so far, and the steps of its transactions."""

    def __init__(
        self,
        person: ConfirmedPerson,
        proof: PhoneCode | OpenData,
        ticket: str | None,
        referrer: Any,
        device: Device,
    ) -> None:
        self.person, self.proof, self.device = person, proof, device
        self.ticket, self.referrer = ticket, referrer
        self.proved: ProvedNumber | None = None
        self.refused: HostUser | None = None
        self._ticket_used = False

    def run(self) -> PhoneSignIn:
        match = identities.find(self.person)
        if match is not None:
            self._check_entry(match.user)
        if match is None or PhoneNumber.objects.of(match.user) is None:
            self.proved = self._prove()
        entry = self._enter()
        if entry is None:
            ticket = self.ticket or issue_ticket(self.person)
            raise PhoneTaken(reason="its user has another identity in this app", ticket=ticket)
        session_keys.forget(entry.ended)
        return PhoneSignIn(
            sign_in=hand_over(
                entry.identity, entry.session, person=self.person, registered=entry.registered
            ),
            phone_conflict=entry.phone_conflict,
            linked=entry.linked,
        )

    def record_refusal(self) -> None:
        """Write down that the account is switched off; its own transaction was undone."""
        transactions.run(
            lambda: self._record(AuditEvent.Kind.SIGN_IN_REFUSED, self.refused, by="phone_login")
        )

    @property
    def _source(self) -> PhoneNumber.Source:
        is_code = isinstance(self.proof, PhoneCode)
        return PhoneNumber.Source.PHONE_CODE if is_code else PhoneNumber.Source.ENCRYPTED_DATA

    def _prove(self) -> ProvedNumber:
        app, openid = self.person.app, self.person.openid
        if isinstance(self.proof, PhoneCode):
            number = number_of_code(app, openid=openid, phone_code=self.proof.text)
            return ProvedNumber(number, self._source)
        key = self.person.session_key
        number = number_of_data(app, openid=openid, session_key=key, data=self.proof)
        return ProvedNumber(number, self._source)

    def _enter(self) -> _Entry | None:
        """Return what was written; None when the number is of somebody else in this app."""
        for _ in range(transactions.ATTEMPTS):
            now = timezone.now()
            found = transactions.run(partial(self._sign_in_or_register, now=now))
            if isinstance(found, _Entry):
                return found
            if found is None:  # their account, which had a number, has gone since we looked
                self.proved = self._prove()
                continue
            with suppress(_LookAgain):
                return transactions.run(partial(self._link, found, now=now))
        raise StoreUnavailable(reason="person and number do not come to rest")

    def _sign_in_or_register(self, *, now: datetime) -> _Entry | PhoneNumber | None:
        """
        Return what was written, or the number that an unknown person shares with some user.

        None: the person is unknown, and their number as well.
        """
        match = identities.find(self.person)
        if match is not None:
            self._check_entry(match.user)
            identity, session = enter(match, self.person, self.device, now=now)
            free = self.proved is None or self._bind_if_free(match.user, self.proved, now=now)
            self._use_up_ticket()
            return _Entry(identity=identity, session=session, phone_conflict=not free)
        if self.proved is None:
            return None
        phone = PhoneNumber.objects.find(self.proved.number)
        return phone or self._register(self.proved, now=now)

    def _register(self, proved: ProvedNumber, *, now: datetime) -> _Entry:
        identity = create_account(self.person, Profile(), self.referrer, now=now)
        self._bind(identity.user, proved, now=now)
        session = open_wechat_session(identity, self.person, self.device, now=now, registered=True)
        self._use_up_ticket()
        return _Entry(identity=identity, session=session, registered=True)

    def _link(self, phone: PhoneNumber, *, now: datetime) -> _Entry | None:
        """
        Link the person to the user of the number, and put out whoever else is in that account.

        Numbers get new owners, and whoever had this one before, or was lent the phone for a
        minute, may have left a way back: an open session, or a password. When it was set does not
        tell by whom, so it goes in any case; who holds the number can set another one at once.
        None when the user has another identity in this app. The user's lock comes first: whatever
        is read behind it is so.
        """
        user = users.lock(phone.user)
        held = PhoneNumber.objects.filter(pk=phone.pk, number=phone.number, user=user).first()
        if user is None or held is None or identities.find(self.person) is not None:
            raise _LookAgain
        self._check_entry(user)
        app_id = self.person.app.app_id
        if WechatIdentity.objects.of(user, app_id=app_id) is not None:
            self._record(AuditEvent.Kind.PHONE_CONFLICT, None, holder=str(user.pk), by="number")
            return None
        ended = [each.id for each in LoginSession.objects.open_of(user, now=now)]
        revoke(ended, user=user)
        had_password = user.has_usable_password()
        user.set_unusable_password()  # a new one each time: Django's own sessions end with it
        user.save(update_fields=["password"])
        identity = identities.register(self.person, user, now=now)
        held.source, held.verified_at = self._source, now
        held.save(update_fields=["source", "verified_at"])
        transactions.send_after_commit(phone_bound, user=user, phone=held, previous=held.number)
        transactions.send_after_commit(wechat_bound, user=user, identity=identity, by="phone")
        self._record(
            AuditEvent.Kind.WECHAT_BOUND,
            user,
            identity=identity.pk,
            by="phone",
            number=held.masked,
            sessions_ended=len(ended),
        )
        if had_password:
            self._record(AuditEvent.Kind.PASSWORD_CHANGED, user, by="phone", usable=False)
        session = open_wechat_session(identity, self.person, self.device, now=now, registered=False)
        self._use_up_ticket()
        return _Entry(identity=identity, session=session, linked=True, ended=ended)

    def _bind_if_free(self, user: HostUser, proved: ProvedNumber, *, now: datetime) -> bool:
        """Bind the number to a user who has none. False when another user has it."""
        if PhoneNumber.objects.of(user) is not None:
            return True  # since a moment ago; theirs counts
        other = PhoneNumber.objects.find(proved.number)
        if other is None:
            self._bind(user, proved, now=now)
            return True
        if other.user_id == user.pk:
            return True  # since less than a moment ago
        transactions.send_after_commit(
            phone_conflict, user=user, holder=other.user, number=other.number
        )
        self._record(
            AuditEvent.Kind.PHONE_CONFLICT,
            user,
            holder=str(other.user_id),
            number=other.masked,
            by="identity",
        )
        return False

    def _bind(self, user: HostUser, proved: ProvedNumber, *, now: datetime) -> None:
        phone = PhoneNumber.objects.create(
            user=user, number=proved.number, source=proved.source, verified_at=now
        )
        transactions.send_after_commit(phone_bound, user=user, phone=phone, previous=None)
        self._record(
            AuditEvent.Kind.PHONE_BOUND, user, number=phone.masked, source=str(proved.source)
        )

    def _check_entry(self, user: HostUser) -> None:
        self.refused = user
        backends.check_entry(user)
        self.refused = None

    def _use_up_ticket(self) -> None:
        # Last, so that who is refused keeps it; and once, though the step may be repeated.
        if self.ticket is not None and not self._ticket_used:
            tickets.use_up(self.ticket)
            self._ticket_used = True

    def _record(self, kind: AuditEvent.Kind, user: HostUser | None, **facts: Any) -> None:
        alias = self.person.app.alias
        audit.record(kind, user=user, device=self.device, app=alias, **facts)
