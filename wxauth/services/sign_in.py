"""Signing in and registering: from a confirmed person to an open session with its tokens."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import update_last_login
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from wxauth import backends, identities, session_keys, tickets, tokens, transactions
from wxauth.conf import HostUser, WechatApp, conf
from wxauth.exceptions import NotRegistered, StoreUnavailable
from wxauth.identities import ConfirmedPerson
from wxauth.models import LoginSession, Referral, WechatIdentity, WechatProfile
from wxauth.models.session import USER_AGENT_LENGTH
from wxauth.services.devices import NOWHERE, Device
from wxauth.services.open_data import OpenData, Profile, read_profile
from wxauth.signals import user_logged_in, user_registered
from wxauth.tokens import TokenPair


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """
    An open session. ``registered`` tells that the account was made just now.

    ``identity`` is None where WeChat was not asked: a phone number was the proof.
    """

    user: HostUser
    identity: WechatIdentity | None
    session: LoginSession
    tokens: TokenPair
    registered: bool

    @property
    def union_conflict(self) -> bool:
        """Whether the person's unionid belongs to another user."""
        return self.identity is not None and self.identity.union_conflict_at is not None


def login(*, person: ConfirmedPerson, device: Device = NOWHERE) -> SignIn:
    """
    Sign in a person who has an account.

    Three statements: find the identity with its user, open the session, note the sign-in.
    Raise ``NotRegistered`` with a ticket, or ``UserInactive``.
    """
    now = timezone.now()

    def step() -> tuple[WechatIdentity, LoginSession] | None:
        match = identities.find(person)
        return None if match is None else _enter(match, person, device, now=now)

    entered = transactions.run(step)
    if entered is None:
        raise NotRegistered(ticket=_ticket(person))
    return _hand_over(*entered, person=person, registered=False)


def register_simple(
    *,
    person: ConfirmedPerson,
    ticket: str | None = None,
    referrer: Any = None,
    device: Device = NOWHERE,
) -> SignIn:
    """
    Register a person, or sign in one who has an account. ``ticket`` is used up, when given.

    Of many calls for one person at once, exactly one registers and the others sign in.
    Raise ``TicketInvalid`` or ``UserInactive``. A ``referrer`` that is of no use is ignored.
    """
    return _register(person, Profile(), ticket=ticket, referrer=referrer, device=device)


def register_complex(
    *,
    person: ConfirmedPerson,
    data: OpenData,
    ticket: str | None = None,
    referrer: Any = None,
    device: Device = NOWHERE,
) -> SignIn:
    """Do what ``register_simple`` does, with a profile; raise what ``read_profile`` raises too."""
    profile = read_profile(person, data)
    return _register(person, profile, ticket=ticket, referrer=referrer, device=device)


def authorize(*, person: ConfirmedPerson, referrer: Any = None, device: Device = NOWHERE) -> SignIn:
    """Sign in, and register silently who has no account. Raise ``UserInactive``."""
    return _register(person, Profile(), ticket=None, referrer=referrer, device=device)


def _register(
    person: ConfirmedPerson,
    profile: Profile,
    *,
    ticket: str | None,
    referrer: Any,
    device: Device,
) -> SignIn:
    if ticket is not None:
        tickets.use_up(ticket)
    now = timezone.now()

    def step() -> tuple[WechatIdentity, LoginSession, bool]:
        match = identities.find(person)
        if match is not None:
            return *_enter(match, person, device, now=now), False
        identity = create_account(person, profile, referrer, now=now)
        return identity, _open_session(identity, person, device, now=now, registered=True), True

    identity, session, registered = transactions.run(step)
    return _hand_over(identity, session, person=person, registered=registered)


def _enter(
    match: identities.Match, person: ConfirmedPerson, device: Device, *, now: datetime
) -> tuple[WechatIdentity, LoginSession]:
    backends.check_entry(match.user)
    identity = identities.settle(match, person, now=now)
    return identity, _open_session(identity, person, device, now=now, registered=False)


def create_account(
    person: ConfirmedPerson, profile: Profile, referrer: Any, *, now: datetime
) -> WechatIdentity:
    """Make the account of a person whom nobody knows, inside ``transactions.run``."""
    user = conf.create_user(app=person.app)
    identity = identities.register(person, user, now=now)
    complete_account(user, person.app, profile, referrer, identity=identity, now=now)
    return identity


def complete_account(
    user: HostUser,
    app: WechatApp,
    profile: Profile,
    referrer: Any,
    *,
    identity: WechatIdentity | None,
    now: datetime,
) -> None:
    """Add to a user who has just been made what every account has; tell the host of it."""
    WechatProfile.objects.create(user=user, app=app.alias, created_at=now, **asdict(profile))
    inviter = _find_referrer(referrer)
    if inviter is not None and inviter.pk != user.pk:
        Referral.objects.create(referee=user, referrer=inviter, created_at=now)
    transactions.send_after_commit(
        user_registered, user=user, identity=identity, app=app.alias, referrer=inviter
    )


def _find_referrer(referrer: Any) -> HostUser | None:
    # Links and QR scenes carry anything: what is not the key of a user who may sign in is nobody.
    model = get_user_model()
    key = model._meta.pk
    if isinstance(referrer, bool) or not isinstance(referrer, (str, int)):
        return None
    try:
        text = str(referrer).strip()
    except ValueError:  # Python writes no more than 4300 digits
        return None
    if len(text) > 64 or not text.isprintable():
        return None
    if isinstance(key, models.IntegerField) and not (text.isascii() and text.isdigit()):
        return None  # int() also takes "1_0" and other scripts' digits
    try:
        user = model._default_manager.filter(pk=key.to_python(text)).first()
    except (ValidationError, ValueError, OverflowError):
        return None
    return user if user is not None and backends.may_enter(user) else None


def _open_session(
    identity: WechatIdentity,
    person: ConfirmedPerson,
    device: Device,
    *,
    now: datetime,
    registered: bool,
) -> LoginSession:
    return open_session(
        identity.user, identity, app=person.app, device=device, now=now, registered=registered
    )


def open_session(
    user: HostUser,
    identity: WechatIdentity | None,
    *,
    app: WechatApp,
    device: Device,
    now: datetime,
    registered: bool,
) -> LoginSession:
    """Open a session for a user who has passed the gate, inside ``transactions.run``."""
    session = LoginSession.objects.create(
        user=user,
        identity=identity,
        app=app.alias,
        user_agent=device.user_agent[:USER_AGENT_LENGTH],
        ip_address=device.ip_address,
        created_at=now,
        rotated_at=now,
        expires_at=tokens.session_end(now),
    )
    if conf.update_last_login:
        update_last_login(type(user), user)
    transactions.send_after_commit(
        user_logged_in, user=user, identity=identity, session=session, registered=registered
    )
    return session


def _hand_over(
    identity: WechatIdentity, session: LoginSession, *, person: ConfirmedPerson, registered: bool
) -> SignIn:
    session_keys.keep(session.id, person.session_key)
    return SignIn(
        user=identity.user,
        identity=identity,
        session=session,
        tokens=tokens.issue(session),
        registered=registered,
    )


def _ticket(person: ConfirmedPerson) -> str | None:
    # Without a cache the person can still register: with a code of their own.
    try:
        return tickets.issue(person)
    except StoreUnavailable:
        return None
