"""Signing in and registering: from a confirmed person to an open session with its tokens."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import update_last_login
from django.utils import timezone

from wxauth import backends, departures, identities, session_keys, tickets, tokens, transactions
from wxauth.conf import HostUser, WechatApp, conf
from wxauth.devices import NOWHERE, Device
from wxauth.exceptions import NotRegistered, StoreUnavailable
from wxauth.identities import ConfirmedPerson
from wxauth.models import LoginSession, WechatIdentity, WechatProfile
from wxauth.models.session import USER_AGENT_LENGTH
from wxauth.services.audit import refusals
from wxauth.services.open_data import OpenData, Profile, read_profile
from wxauth.services.referrals import record_referral
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

    @property
    def deletion_cancelled(self) -> bool:
        """Whether the account waited for its deletion, which this return has called off."""
        return self.session.deletion_cancelled


def login(*, person: ConfirmedPerson, device: Device = NOWHERE) -> SignIn:
    """
    Sign in a person who has an account.

    Three statements: find the identity with its user, open the session, note the sign-in.
    Raise ``NotRegistered`` with a ticket, or ``UserInactive``.
    """
    now = timezone.now()

    def step() -> tuple[WechatIdentity, LoginSession] | None:
        match = identities.find(person)
        return None if match is None else enter(match, person, device, now=now)

    with refusals(device=device, app=person.app.alias):
        entered = transactions.run(step)
    if entered is None:
        raise NotRegistered(ticket=issue_ticket(person))
    return hand_over(*entered, person=person, registered=False)


def register_simple(
    *,
    person: ConfirmedPerson,
    ticket: str | None = None,
    referrer: Any = None,
    scene: Any = None,
    device: Device = NOWHERE,
) -> SignIn:
    """
    Register a person, or sign in one who has an account. ``ticket`` is used up, when given.

    Of many calls for one person at once, exactly one registers and the others sign in.
    Raise ``TicketInvalid`` or ``UserInactive``. ``referrer`` is a uid or an invite code, ``scene``
    where they met; either is ignored when it is of no use.
    """
    return _register(
        person, Profile(), ticket=ticket, referrer=referrer, scene=scene, device=device
    )


def register_complex(
    *,
    person: ConfirmedPerson,
    data: OpenData,
    ticket: str | None = None,
    referrer: Any = None,
    scene: Any = None,
    device: Device = NOWHERE,
) -> SignIn:
    """
    Do what ``register_simple`` does, with a profile; raise what ``read_profile`` raises too.

    Who is known keeps their profile, unless it has neither a name nor a picture.
    """
    profile = read_profile(person, data)
    return _register(person, profile, ticket=ticket, referrer=referrer, scene=scene, device=device)


def authorize(
    *,
    person: ConfirmedPerson,
    profile: Profile | None = None,
    ext: dict[str, Any] | None = None,
    referrer: Any = None,
    scene: Any = None,
    device: Device = NOWHERE,
) -> SignIn:
    """
    Sign in, and register silently who has no account. Raise ``UserInactive``.

    ``profile`` and ``ext`` are those of who registers; a profile that has neither a name nor a
    picture is filled too.
    """
    return _register(
        person,
        profile or Profile(),
        ticket=None,
        referrer=referrer,
        scene=scene,
        device=device,
        ext=ext,
    )


def join(
    *,
    person: ConfirmedPerson,
    data: OpenData | None = None,
    ext: dict[str, Any] | None = None,
    referrer: Any = None,
    scene: Any = None,
    device: Device = NOWHERE,
) -> bool:
    """
    Register a person without signing them in; False, and nothing else, for who has an account.

    ``ext`` is kept with the profile. Raise what ``read_profile`` raises for ``data``.
    """
    if identities.find(person) is not None:
        return False
    profile = Profile() if data is None else read_profile(person, data)
    now = timezone.now()

    def step() -> bool:
        if identities.find(person) is not None:
            return False  # since less than a moment ago
        create_account(person, profile, referrer, now=now, scene=scene, ext=ext)
        return True

    with refusals(device=device, app=person.app.alias):
        return transactions.run(step)


def _register(
    person: ConfirmedPerson,
    profile: Profile,
    *,
    ticket: str | None,
    referrer: Any,
    scene: Any = None,
    device: Device,
    ext: dict[str, Any] | None = None,
) -> SignIn:
    if ticket is not None:
        tickets.use_up(ticket)
    now = timezone.now()

    def step() -> tuple[WechatIdentity, LoginSession, bool]:
        match = identities.find(person)
        if match is not None:
            if profile.nickname or profile.avatar_url:
                WechatProfile.objects.fill(match.user, **asdict(profile))
            return *enter(match, person, device, now=now), False
        identity = create_account(person, profile, referrer, now=now, scene=scene, ext=ext)
        session = open_wechat_session(identity, person, device, now=now, registered=True)
        return identity, session, True

    with refusals(device=device, app=person.app.alias):
        identity, session, registered = transactions.run(step)
    return hand_over(identity, session, person=person, registered=registered)


def enter(
    match: identities.Match, person: ConfirmedPerson, device: Device, *, now: datetime
) -> tuple[WechatIdentity, LoginSession]:
    """Open a session for a person who is known, inside a transaction. Raise ``UserInactive``."""
    backends.check_entry(match.user)
    identity = identities.settle(match, person, now=now, device=device)
    return identity, open_wechat_session(identity, person, device, now=now, registered=False)


def create_account(
    person: ConfirmedPerson,
    profile: Profile,
    referrer: Any,
    *,
    now: datetime,
    scene: Any = None,
    ext: dict[str, Any] | None = None,
) -> WechatIdentity:
    """Make the account of a person whom ``find`` does not know, inside a transaction."""
    user = conf.create_user(app=person.app)
    identity = identities.register(person, user, now=now)
    complete_account(
        user, person.app, profile, referrer, identity=identity, now=now, scene=scene, ext=ext
    )
    return identity


def complete_account(
    user: HostUser,
    app: WechatApp,
    profile: Profile,
    referrer: Any,
    *,
    identity: WechatIdentity | None,
    now: datetime,
    scene: Any = None,
    ext: dict[str, Any] | None = None,
) -> None:
    """Add to a user who has just been made what every account has; tell the host of it."""
    WechatProfile.objects.create(
        user=user, app=app.alias, created_at=now, ext=ext or {}, **asdict(profile)
    )
    inviter = record_referral(referee=user, referrer=referrer, scene=scene, now=now)
    transactions.send_after_commit(
        user_registered, user=user, identity=identity, app=app.alias, referrer=inviter
    )


def open_wechat_session(
    identity: WechatIdentity,
    person: ConfirmedPerson,
    device: Device,
    *,
    now: datetime,
    registered: bool,
) -> LoginSession:
    """Open the session of a person whom WeChat has confirmed, inside ``transactions.run``."""
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
    began_at: datetime | None = None,
) -> LoginSession:
    """
    Open a session for a user who has passed the gate, inside ``transactions.run``.

    ``began_at`` is when they proved who they are, where that is not now.
    """
    session = LoginSession.objects.create(
        user=user,
        identity=identity,
        app=app.alias,
        user_agent=device.user_agent[:USER_AGENT_LENGTH],
        ip_address=device.ip_address,
        created_at=began_at or now,
        rotated_at=now,
        expires_at=tokens.session_end(now, lifetime=device.session_lifetime),
    )
    if not registered:
        session.deletion_cancelled = departures.cancel_on_return(
            user, app=session.app, device=device
        )
    if conf.update_last_login:
        update_last_login(type(user), user)
    transactions.send_after_commit(
        user_logged_in, user=user, identity=identity, session=session, registered=registered
    )
    return session


def hand_over(
    identity: WechatIdentity, session: LoginSession, *, person: ConfirmedPerson, registered: bool
) -> SignIn:
    """Return the result of a sign-in that has been committed, and keep its session_key."""
    session_keys.keep(session.id, person.session_key)
    return SignIn(
        user=identity.user,
        identity=identity,
        session=session,
        tokens=tokens.issue(session),
        registered=registered,
    )


def issue_ticket(person: ConfirmedPerson) -> str | None:
    """Return a ticket, or None without a cache: a person can still register by a code."""
    try:
        return tickets.issue(person)
    except StoreUnavailable:
        return None
