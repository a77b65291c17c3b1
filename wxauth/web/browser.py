"""A browser that is signed in: Django's session, tied to a ``LoginSession`` of ours."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import login, logout
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import InterfaceError, OperationalError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework.exceptions import NotAuthenticated

from wxauth import backends, services
from wxauth.conf import HostUser
from wxauth.devices import Device
from wxauth.exceptions import FreshSignInRequired, TokenInvalid
from wxauth.models import LoginSession
from wxauth.rest.views import device_of

SID = "wxauth_sid"  # in Django's session
SINCE = "wxauth_since"  # in Django's session: when its user signed in, Unix seconds
COOKIE = "wxauth_browser"  # which browser began a sign-in; says nothing of who it is
COOKIE_AGE = 86_400  # seconds


def sign_in_browser(request: HttpRequest, session: LoginSession) -> None:
    """
    Sign the browser in as the user of this session, under a new key of Django's session.

    When the one ends, the other does: by ``LoginSessionMiddleware``, and by Django's logout.
    """
    login(request, session.user, backend=backends.dotted_path())
    request.session[SID] = session.id.hex


def session_of(request: HttpRequest) -> LoginSession | None:
    """Return the session by which this browser was signed in, if it is open. One query."""
    sid = request.session.get(SID)
    return None if sid is None else services.open_session_of(sid=UUID(sid))


def seems_signed_in(request: HttpRequest) -> bool:
    """Tell whether somebody is signed in here, or was when the database still answered."""
    try:
        return _user(request) is not None
    except (OperationalError, InterfaceError):
        return True  # who has no session is not looked up


def is_somebody_else(request: HttpRequest, session: LoginSession) -> bool:
    """Tell whether another user than that of this session is signed in here."""
    user = _user(request)
    return user is not None and user.pk != session.user_id


def own_session(request: HttpRequest) -> LoginSession:
    """
    Return the session of who is signed in in this browser, by WeChat or by any other backend.

    For the other backends one is opened now, which counts from the sign-in: it shows among the
    user's sessions, and can be ended there. Raise DRF's ``NotAuthenticated`` when nobody is signed
    in, ``TokenInvalid`` when the session is over, or ``FreshSignInRequired`` when it is not known
    since when they are signed in.
    """
    user, session = _user(request), session_of(request)
    if user is None:
        raise NotAuthenticated
    if session is not None and session.user_id == user.pk:
        return session
    if SID in request.session:
        raise TokenInvalid(reason="the session is over, or somebody acts as its user")
    since = request.session.get(SINCE)
    if since is None:
        raise FreshSignInRequired(reason="signed in before wxauth looked")
    session = services.adopt_session(
        user=user,
        began_at=datetime.fromtimestamp(since, UTC),
        device=device(request, is_browser=True),
    )
    request.session[SID] = session.id.hex
    return session


def renew_sign_in(request: HttpRequest) -> None:
    """
    Note that who is signed in here has just proved it once more, as by their password.

    Django's ``login`` does it by itself; it is for projects that ask again in another way.
    """
    # Not the user's last_login: that is of the last of all browsers.
    request.session[SINCE] = timezone.now().timestamp()
    # What wants a fresh sign-in must not be held to the session of the older one.
    previous = session_of(request)
    request.session.pop(SID, None)
    if previous is not None:
        services.logout(session=previous)


def sign_out_browser(request: HttpRequest) -> None:
    """Sign the browser out, of Django and of our session."""
    logout(request)


def browser_secret(request: HttpRequest) -> str | None:
    """Return what the browser was given when it began a sign-in, or None."""
    return request.COOKIES.get(_cookie(request))


def remember_browser(request: HttpRequest, response: HttpResponse, secret: str) -> None:
    """Give the browser a secret by which its way back from WeChat is known as its own."""
    response.set_cookie(
        _cookie(request),
        secret,
        max_age=COOKIE_AGE,
        httponly=True,
        secure=request.is_secure(),
        samesite="Lax",  # it has to come along on the way back from WeChat
    )


def _user(request: HttpRequest) -> HostUser | None:
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def _cookie(request: HttpRequest) -> str:
    """Return the cookie's name; by https one that no other host of the domain can set."""
    return f"__Host-{COOKIE}" if request.is_secure() else COOKIE


def new_secret() -> str:
    """Return 256 random bits as a text."""
    return secrets.token_urlsafe(32)


def device(request: HttpRequest, *, is_browser: bool) -> Device:
    """Return where the request comes from; a browser's session lasts as long as Django's."""
    found = device_of(request)
    if not is_browser:
        return found
    return Device(
        user_agent=found.user_agent,
        ip_address=found.ip_address,
        session_lifetime=timedelta(seconds=request.session.get_expiry_age()),
    )


@receiver(user_logged_in, dispatch_uid="wxauth.web.browser")
def _begin_anew(sender: Any, request: HttpRequest | None, **_: Any) -> None:
    if request is not None and hasattr(request, "session"):
        renew_sign_in(request)


@receiver(user_logged_out, dispatch_uid="wxauth.web.browser")
def _end_session(sender: Any, request: HttpRequest | None, **_: Any) -> None:
    # Sent before Django forgets its session.
    session = session_of(request) if request is not None and hasattr(request, "session") else None
    if session is not None:
        services.logout(session=session)
