"""
Whose account it is when a person whom WeChat has confirmed proves a phone number, or its password.

One rule for every door: WeChat's phone button, a text message, a password. Locks are taken in one
order: the identities of a user, the user, the number.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from typing import Any
from uuid import UUID

from django.utils import timezone

from wxauth import backends, identities, session_keys, tickets, transactions, users
from wxauth.conf import HostUser
from wxauth.devices import NOWHERE, Device
from wxauth.exceptions import NotRegistered, PasswordLoginFailed, PhoneTaken, StoreUnavailable
from wxauth.identities import ConfirmedPerson
from wxauth.models import AuditEvent, LoginSession, PhoneNumber, WechatIdentity
from wxauth.services import audit
from wxauth.services.numbers import mask
from wxauth.services.open_data import Profile
from wxauth.services.phones import ProvedNumber, bind_new
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """
    Who is at the door. ``ticket`` is used up by what succeeds.

    Without ``registers`` nobody gets a new account: ``NotRegistered`` instead.
    """

    person: ConfirmedPerson
    ticket: str | None = field(default=None, repr=False)
    referrer: Any = None
    scene: Any = None
    device: Device = NOWHERE
    registers: bool = True

    @property
    def origin(self) -> dict[str, Any]:
        """Where it happens, for the audit trail."""
        return {"device": self.device, "app": self.person.app.alias}


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSignIn:
    """
    A sign-in. ``phone_conflict``: the number belongs to another user and stays theirs.
    ``linked``: the account was there, and this WeChat identity is now linked to it.
    """

    sign_in: SignIn
    phone_conflict: bool
    linked: bool


class NumberWanted(Exception):
    """Nobody knows the person: without a number there is nothing to go by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What the transaction has written."""

    identity: WechatIdentity
    session: LoginSession
    registered: bool = False
    phone_conflict: bool = False
    linked: bool = False
    ended: list[UUID] = field(default_factory=list)


class _Taken(Exception):
    """The account is of ``holder``, who is not the person at the door."""

    def __init__(self, reason: str, *, holder: HostUser, is_known: bool = False) -> None:
        """``is_known`` tells that the person has an account, though another one."""
        super().__init__(reason)
        self.holder, self.is_known = holder, is_known


class _LookAgain(Exception):
    """
    Once more from the start, in a transaction that begins with the locks of ``owner``, if any.

    What a transaction has read before it waited for a lock may be no longer so.
    """

    def __init__(self, owner: HostUser | None = None) -> None:
        super().__init__()
        self.owner = owner


def enter_by_number(
    arrival: Arrival, proved: ProvedNumber | None, *, spend: Callable[[], None] | None = None
) -> PhoneSignIn:
    """
    Sign in who has just proved a number. ``spend`` uses the proof up, in the transaction.

    - Known by openid or unionid: signed in, and the number is bound when they have none and nobody
      else has it. ``proved`` may be None for them, else it is ``NumberWanted``.
    - Unknown, the number is free: a new account with both.
    - Unknown, the number's user has no identity in this app: this one is linked to that user,
      whose other sessions end and whose password becomes unusable.
    - Unknown, the number's user has another identity in this app: ``PhoneTaken`` with a ticket,
      and nothing is used up.

    Raise ``UserInactive``, ``TicketInvalid``, and what ``spend`` raises.
    """

    owner: HostUser | None = None

    def step(now: datetime) -> _Entry:
        if spend is not None:
            spend()
        if owner is not None and proved is not None:
            return _link_by_number(arrival, owner, proved, now=now)
        return _enter(arrival, proved, now=now)

    for _ in range(transactions.ATTEMPTS):
        try:
            return _run(arrival, step, number=proved.number if proved else None)
        except _LookAgain as found:
            owner = found.owner
    raise StoreUnavailable(reason="person and number do not come to rest")


def enter_by_password(
    arrival: Arrival, user: HostUser, *, number: str, is_right: Callable[[HostUser], bool]
) -> PhoneSignIn:
    """
    Sign in who has just proved the password of ``user``, and link their identity to that user.

    ``is_right`` looks at the password once more, when nobody can change it. The password has been
    proved, so it stays, and so do the sessions. Raise ``PhoneTaken`` when the person is known as
    another user, or the user as another person in this app; ``PasswordLoginFailed``,
    ``UserInactive``, ``TicketInvalid``.
    """

    def step(now: datetime) -> _Entry:
        WechatIdentity.objects.lock_of(user)
        held = users.lock(user)
        if held is None or not is_right(held):
            raise PasswordLoginFailed(reason="the password has just changed")
        match = identities.find(arrival.person)
        if match is None:
            identity = _link(arrival, held, by="password", now=now)
            return _linked(arrival, identity, now=now)
        if match.user.pk != held.pk:
            raise _Taken("the person is another user", holder=held, is_known=True)
        identity, session = enter(match, arrival.person, arrival.device, now=now)
        return _Entry(identity=identity, session=session)

    return _run(arrival, step, number=number)


def _run(
    arrival: Arrival, step: Callable[[datetime], _Entry], *, number: str | None
) -> PhoneSignIn:
    now = timezone.now()
    use_up = cache(partial(tickets.use_up, arrival.ticket)) if arrival.ticket else None

    def run_step() -> _Entry:
        entry = step(now)
        if use_up is not None:
            use_up()  # last, so that who is refused keeps it; and once, though we may run twice
        return entry

    try:
        with audit.refusals(**arrival.origin):
            entry = transactions.run(run_step)
    except _Taken as taken:
        audit.record_refusal(
            AuditEvent.Kind.PHONE_CONFLICT,
            user=taken.holder,
            **arrival.origin,
            holder=str(taken.holder.pk),
            phone=mask(number) if number else "",
        )
        is_known, reason = taken.is_known, str(taken)
    else:
        session_keys.forget(entry.ended)
        return PhoneSignIn(
            sign_in=hand_over(
                entry.identity, entry.session, person=arrival.person, registered=entry.registered
            ),
            phone_conflict=entry.phone_conflict,
            linked=entry.linked,
        )
    # Who has no account can still make one, without the number.
    ticket = None if is_known else arrival.ticket or issue_ticket(arrival.person)
    raise PhoneTaken(reason=reason, ticket=ticket)


def _enter(arrival: Arrival, proved: ProvedNumber | None, *, now: datetime) -> _Entry:
    person, device = arrival.person, arrival.device
    match = identities.find(person)
    if match is not None:
        identity, session = enter(match, person, device, now=now)
        free = proved is None or _bind_if_free(arrival, match.user, proved, now=now)
        return _Entry(identity=identity, session=session, phone_conflict=not free)
    if proved is None:
        raise NumberWanted
    holder = PhoneNumber.objects.find(proved.number)
    if holder is not None:
        raise _LookAgain(holder.user)
    if not arrival.registers:
        raise NotRegistered(ticket=None)
    identity = create_account(person, Profile(), arrival.referrer, now=now, scene=arrival.scene)
    bind_new(identity.user, proved, now=now, device=device, app=person.app.alias)
    session = open_wechat_session(identity, person, device, now=now, registered=True)
    return _Entry(identity=identity, session=session, registered=True)


def _bind_if_free(arrival: Arrival, user: HostUser, proved: ProvedNumber, *, now: datetime) -> bool:
    """Bind the number to a known user who has none. False when another user has it."""
    if PhoneNumber.objects.of(user) is not None:
        return True  # theirs counts
    other = PhoneNumber.objects.find(proved.number)
    if other is None:
        bind_new(user, proved, now=now, **arrival.origin)
        return True
    if other.user_id == user.pk:
        return True  # since less than a moment ago
    transactions.send_after_commit(
        phone_conflict, user=user, holder=other.user, number=other.number
    )
    audit.record_refusal(
        AuditEvent.Kind.PHONE_CONFLICT,
        user=user,
        **arrival.origin,
        holder=str(other.user_id),
        phone=other.masked,
    )
    return False


def _link_by_number(
    arrival: Arrival, owner: HostUser, proved: ProvedNumber, *, now: datetime
) -> _Entry:
    """
    Link the person to the user of the number, and put out whoever else is in that account.

    Numbers get new owners, and whoever had this one before, or was lent the phone for a minute,
    may have left a way back: an open session, or a password. When it was set does not tell by
    whom, so it goes in any case; who holds the number can set another one at once.
    """
    WechatIdentity.objects.lock_of(owner)
    phone = PhoneNumber.objects.lock(proved.number)
    if phone is None or phone.user_id != owner.pk or identities.find(arrival.person) is not None:
        raise _LookAgain
    user = phone.user
    ended = list(LoginSession.objects.open_of(user, now=now).values_list("pk", flat=True))
    facts = {"phone": phone.masked, "sessions_ended": len(ended)}
    identity = _link(arrival, user, by="phone", now=now, **facts)
    revoke(ended, user=user)
    had_password = user.has_usable_password()
    user.set_unusable_password()  # a new one each time: Django's own sessions end with it
    user.save(update_fields=["password"])
    if had_password:
        kind = AuditEvent.Kind.PASSWORD_CHANGED
        audit.record(kind, user=user, **arrival.origin, by="phone", usable=False)
    phone.source, phone.verified_at = proved.source, now
    phone.save(update_fields=["source", "verified_at"])
    transactions.send_after_commit(phone_bound, user=user, phone=phone, previous=phone.number)
    return _linked(arrival, identity, now=now, ended=ended)


def _link(
    arrival: Arrival, user: HostUser, *, by: str, now: datetime, **facts: Any
) -> WechatIdentity:
    """Give the person to ``user``, who is locked, unless they are somebody else in this app."""
    backends.check_entry(user)
    person = arrival.person
    if WechatIdentity.objects.of(user, app_id=person.app.app_id) is not None:
        raise _Taken("its user has another identity in this app", holder=user)
    identity = identities.register(person, user, now=now)
    kind = AuditEvent.Kind.WECHAT_BOUND
    audit.record(kind, user=user, **arrival.origin, identity=identity.pk, by=by, **facts)
    transactions.send_after_commit(wechat_bound, user=user, identity=identity, by=by)
    return identity


def _linked(
    arrival: Arrival, identity: WechatIdentity, *, now: datetime, ended: list[UUID] | None = None
) -> _Entry:
    session = open_wechat_session(
        identity, arrival.person, arrival.device, now=now, registered=False
    )
    return _Entry(identity=identity, session=session, linked=True, ended=ended or [])
