"""What is asked of WeChat, and what it answers once checked. Secrets do not show in a repr."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """One request to an endpoint: POST when it has a body, else GET."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    repeatable: bool = False  # asking again does no harm when the first answer was lost


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON object from WeChat, unchecked. It may hold a session_key, so its repr says nothing."""

    fields: Mapping[str, Any] = field(repr=False)

    def get(self, key: str) -> Any:
        """Return the field, or None."""
        return self.fields.get(key)


@dataclass(frozen=True, slots=True)
class CodeSession:
    """The answer of code2Session. ``session_key`` is base64 of 16 bytes and stays on the server."""

    openid: str
    unionid: str | None
    session_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PhoneInfo:
    """A phone number that WeChat vouches for, and when it did."""

    pure_number: str = field(repr=False)  # without the country's prefix
    country_code: str  # digits, "86"
    issued_at: datetime  # of the watermark


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The app's own credential towards WeChat, and the Unix time in seconds when it ends."""

    value: str = field(repr=False)
    expires_at: float


@dataclass(frozen=True, slots=True)
class OAuthGrant:
    """What a person has granted to an app over the web."""

    openid: str
    unionid: str | None
    scope: frozenset[str]
    access_token: str = field(repr=False)
    is_snapshot: bool  # a page that ran as a snapshot: the openid is nobody's
    refresh_token: str = field(default="", repr=False)
    expires_in: int = 0  # seconds, of the access_token


@dataclass(frozen=True, slots=True)
class OAuthUser:
    """How a person is called in WeChat: untrusted text, and an address."""

    unionid: str | None
    nickname: str
    avatar_url: str
