"""The JWTs that our clients carry: made and read through simplejwt, one pair per generation."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import Token

from wxauth.conf import TokenSettings, conf
from wxauth.exceptions import TokenInvalid
from wxauth.models import LoginSession


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token, a refresh token, and the seconds that the access token lives."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_in: int


class SessionToken(Token):
    """
    A simplejwt token that belongs to one ``LoginSession``.

    Its type is not simplejwt's ``access`` or ``refresh``: a view that is guarded by simplejwt's
    own class would take it without looking at the session, after a logout too.
    """

    login_session: LoginSession

    def get_token_backend(self) -> TokenBackend:
        return _backend(conf.tokens)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of session {self.payload.get('sid')}>"

    @classmethod
    def of(cls, session: LoginSession) -> "SessionToken":
        """Make the token of the session's current generation: the same each time it is called."""
        token = cls()
        token.set_iat(at_time=session.rotated_at)
        token.set_exp(from_time=session.rotated_at)
        token["jti"] = f"{session.id.hex}.{session.generation}"
        token["sid"] = session.id.hex
        token["gen"] = session.generation
        token["sub"] = str(session.user_id)
        return token

    @property
    def sid(self) -> UUID:
        return UUID(self.payload["sid"])

    @property
    def generation(self) -> int:
        return self.payload["gen"]

    @property
    def expires_at(self) -> int:
        """Unix time in seconds."""
        return self.payload["exp"]

    def verify(self) -> None:
        super().verify()
        try:
            UUID(self.payload["sid"])
            if type(self.payload["gen"]) is not int:
                raise ValueError
        except (KeyError, TypeError, ValueError, AttributeError):
            raise TokenError("Token has no session") from None


class AccessToken(SessionToken):
    token_type = "wxauth_access"  # noqa: S105

    @property
    def lifetime(self) -> timedelta:  # type: ignore[override]  # simplejwt: a class attribute
        return conf.tokens.access_lifetime


class RefreshToken(SessionToken):
    token_type = "wxauth_refresh"  # noqa: S105

    @property
    def lifetime(self) -> timedelta:  # type: ignore[override]  # simplejwt: a class attribute
        return conf.tokens.refresh_lifetime


def issue(session: LoginSession) -> TokenPair:
    """Return the pair of the session's current generation."""
    return TokenPair(
        access=str(AccessToken.of(session)),
        refresh=str(RefreshToken.of(session)),
        expires_in=int(conf.tokens.access_lifetime.total_seconds()),
    )


def read_access(raw: str | bytes) -> AccessToken:
    """Return the verified access token, or raise ``TokenInvalid``. The session is not asked."""
    return _read(AccessToken, raw)


def read_refresh(raw: str) -> RefreshToken:
    """Return the verified refresh token, or raise ``TokenInvalid``. The session is not asked."""
    return _read(RefreshToken, raw)


def issue_lasting(session: LoginSession) -> str:
    """Return an access token as good as its session, for clients that cannot refresh one."""
    token = AccessToken.of(session)
    token.set_exp(from_time=session.expires_at, lifetime=timedelta(0))
    return str(token)


def session_end(now: datetime, *, lifetime: timedelta | None = None) -> datetime:
    """Return when a session ends that began, or was refreshed, at ``now``."""
    return now + (conf.tokens.refresh_lifetime if lifetime is None else lifetime)


def _read(kind: type[Any], raw: str | bytes) -> Any:
    try:
        return kind(raw)
    except (TokenError, ValueError, TypeError, ArithmeticError, RecursionError):
        # PyJWT lets through what a header of brackets, and a time that is a list or infinite, do.
        pass
    raise TokenInvalid(reason=f"not a {kind.token_type} token of ours")


@lru_cache(maxsize=4)
def _backend(settings: TokenSettings) -> TokenBackend:
    return TokenBackend(
        settings.algorithm,
        settings.signing_key,
        settings.verifying_key,
        settings.audience,
        settings.issuer,
        None,
        settings.leeway,
    )
