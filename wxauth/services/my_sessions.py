"""The devices on which a user is signed in: looked at, and ended."""

from uuid import UUID

from django.utils import timezone

from wxauth import session_keys, transactions
from wxauth.conf import HostUser
from wxauth.exceptions import NotFound
from wxauth.models import LoginSession
from wxauth.services.sessions import end_all, logout

SHOWN = 100  # the newest; a client that signs in at each start has hundreds in a month


def list_sessions(*, user: HostUser) -> list[LoginSession]:
    """Return the user's open sessions, the newest first, at most ``SHOWN``. One query."""
    rows = LoginSession.objects.open_of(user, now=timezone.now())
    return list(rows.order_by("-created_at", "-pk")[:SHOWN])


def end_session(*, user: HostUser, sid: UUID) -> None:
    """End this session of the user's, ended or not; raise ``NotFound`` when it is not theirs."""
    session = LoginSession.objects.find(sid)
    if session is None or session.user_id != user.pk:
        raise NotFound(reason="the user has no such session")
    logout(session=session)


def end_other_sessions(*, session: LoginSession) -> int:
    """End all sessions of this one's user but this one; return how many they were."""
    ended = transactions.run(lambda: end_all(session.user, keep=session.pk))
    session_keys.forget(ended)
    return len(ended)
