"""What becomes of a session after the sign-in: checked, refreshed, ended."""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from wxauth import backends, session_keys, tokens, transactions
from wxauth.conf import HostUser, conf
from wxauth.devices import NOWHERE, Device
from wxauth.exceptions import TokenInvalid
from wxauth.models import LoginSession
from wxauth.models.session import USER_AGENT_LENGTH
from wxauth.services.locking import hold_user, lock_entrant
from wxauth.signals import user_logged_out
from wxauth.tokens import AccessToken, SessionToken, TokenPair

logger = logging.getLogger("wxauth.sessions")


def check_token(*, access: str | bytes) -> AccessToken:
    """
    Return the token, with its ``login_session`` and that session's user loaded. One query.

    Raise ``TokenInvalid`` unless it is an access token of ours whose session is open and whose
    user may come in: a logout, a ban and a deletion bite with the next request.
    """
    token = tokens.read_access(access)
    token.login_session = _open_session(token)
    return token


def refresh(*, refresh_token: str) -> TokenPair:
    """
    Return the next pair of tokens. One SELECT and one UPDATE.

    Of parallel calls with one token exactly one rotates; the others get the same new pair for
    ``WXAUTH_REFRESH_GRACE``. An older token that turns up after that has been stolen, or its
    thief has been here first: the session is revoked. Raise ``TokenInvalid``.
    """
    token = tokens.read_refresh(refresh_token)
    session = _open_session(token)
    now = timezone.now()
    if session.generation == token.generation:
        expires_at = tokens.session_end(now)
        if LoginSession.objects.rotate(
            session.id, token.generation, rotated_at=now, expires_at=expires_at
        ):
            session.generation += 1
            session.rotated_at, session.expires_at = now, expires_at
            return tokens.issue(session)
        session = _open_session(token)
    if session.is_fresh_loser(token.generation, now=now, grace=conf.refresh_grace):
        return tokens.issue(session)
    if session.generation > token.generation:
        logger.warning("an old refresh token was used again: session %s is revoked", session.id)
        logout(session=session)
    raise TokenInvalid(reason="not the refresh token of this moment")


def open_session_of(*, sid: UUID) -> LoginSession | None:
    """Return the session with its user, if it is open and they may come in. One query."""
    session = LoginSession.objects.find(sid)
    if session is None or not session.is_open(timezone.now()):
        return None
    return session if backends.may_enter(session.user) else None


def adopt_session(*, user: HostUser, began_at: datetime, device: Device = NOWHERE) -> LoginSession:
    """
    Open a session for a user whom another backend has signed in at ``began_at``.

    So what wants a session works for them. No signal is sent: nobody signs in by this. Raise
    ``TokenInvalid`` for a user who may not come in, is gone, or has another password by now.
    """
    now = timezone.now()

    def step() -> LoginSession:
        if lock_entrant(user).password != user.password:
            raise TokenInvalid(reason="the password has just changed")
        return LoginSession.objects.create(
            user=user,
            user_agent=device.user_agent[:USER_AGENT_LENGTH],
            ip_address=device.ip_address,
            created_at=began_at,
            rotated_at=now,
            expires_at=tokens.session_end(now, lifetime=device.session_lifetime),
        )

    return transactions.run(step)


def logout(*, session: LoginSession) -> None:
    """End this session. Ending it twice is the same as once."""
    _end([session], user=session.user)


def logout_everywhere(*, user: HostUser) -> None:
    """End all sessions of this user."""
    session_keys.forget(transactions.run(lambda: end_all(user)))


def end_sessions(*, sessions: Iterable[LoginSession]) -> int:
    """
    End these sessions, whoever they belong to, and return how many of them were not ended before.

    One transaction and one signal per user. Load the sessions with their users.
    """
    by_user: dict[Any, list[LoginSession]] = {}
    for session in sessions:
        by_user.setdefault(session.user_id, []).append(session)
    return sum(_end(owned, user=owned[0].user) for owned in by_user.values())


def _end(sessions: list[LoginSession], *, user: HostUser) -> int:
    sids = [session.id for session in sessions]
    ended = transactions.run(lambda: revoke(sids, user=user))
    session_keys.forget(sids)
    return ended


def end_all(user: HostUser, *, keep: UUID | None = None) -> list[UUID]:
    """
    End all sessions of ``user`` but ``keep`` inside the caller's transaction; return which.

    The user is locked: a browser that comes in by one of them is there already, or comes too late.
    What the cache keeps of them is the caller's to forget, after the commit.
    """
    hold_user(user)
    rows = LoginSession.objects.open_of(user, now=timezone.now())
    sids = [sid for sid in rows.values_list("pk", flat=True) if sid != keep]
    revoke(sids, user=user)
    return sids


def revoke(sids: list[UUID], *, user: HostUser) -> int:
    """
    End these sessions of ``user`` inside the caller's transaction; return how many were open.

    What the cache keeps of them is the caller's to forget, after the commit.
    """
    ended = LoginSession.objects.revoke(sids, now=timezone.now())
    if ended:
        transactions.send_after_commit(user_logged_out, user=user, sessions=sids)
    return ended


def _open_session(token: SessionToken) -> LoginSession:
    session = open_session_of(sid=token.sid)
    if session is None:
        raise TokenInvalid(reason="the session is over, or its user may not come in")
    return session
