"""Risky changes want a sign-in that is minutes old, not a token that lay about."""

from datetime import timedelta

from django.utils import timezone

from wxauth.exceptions import FreshSignInRequired
from wxauth.models import LoginSession

FRESH = timedelta(minutes=10)


def require_fresh(session: LoginSession) -> None:
    """Raise ``FreshSignInRequired`` when the session began more than ten minutes ago."""
    if timezone.now() - session.created_at > FRESH:
        raise FreshSignInRequired(reason="the sign-in is too old for this change")
