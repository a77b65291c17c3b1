"""The apps' access tokens: /cgi-bin/token and stable_token, which know nothing of each other."""

import secrets
from dataclasses import dataclass, field

from wxauth.simulator.errors import ApiError

LIFETIME = 7200  # seconds
OVERLAP = 300  # seconds during which the old token and its successor both work
FORCED_PER_DAY = 20
FORCED_INTERVAL = 30  # seconds; closer forced renewals do not renew
PREFIX, RANDOM_BYTES = "99_", 99  # 135 characters, as many as WeChat's have


@dataclass
class Token:
    """One access_token; ``ends_early_at`` when a newer one or an operator has replaced it."""

    app_id: str
    expires_at: float
    value: str = field(
        repr=False, default_factory=lambda: PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    )
    ends_early_at: float | None = None


class AccessTokens:
    """All access tokens of all apps, the ended ones too: an old token has its own errcode."""

    def __init__(self) -> None:
        self._known: dict[str, Token] = {}
        self._plain: dict[str, Token] = {}
        self._stable: dict[str, Token] = {}
        self._forced: dict[str, list[tuple[int, float]]] = {}

    def issue_plain(self, app_id: str, *, now: float) -> Token:
        """Return a new token; the one before it works for another 5 minutes."""
        previous = self._plain.get(app_id)
        if previous is not None:
            self._end(previous, at=now + OVERLAP)
        token = self._plain[app_id] = self._new(app_id, now)
        return token

    def issue_stable(self, app_id: str, *, now: float) -> Token:
        """Return the app's token, or a new one beside it in its last 5 minutes."""
        token = self._stable.get(app_id)
        if token is None or token.ends_early_at is not None or token.expires_at - now < OVERLAP:
            token = self._stable[app_id] = self._new(app_id, now)
        return token

    def force_stable(self, app_id: str, *, now: float, day: int) -> Token:
        """
        Return a new token and end the one before at once.

        Within 30 s of the last forced one it is that one again. Raise ``ApiError`` 45009 at the
        21st of ``day``.
        """
        forced = self._forced.setdefault(app_id, [])
        if forced and now - forced[-1][1] < FORCED_INTERVAL:
            return self.issue_stable(app_id, now=now)
        if sum(1 for forced_day, _ in forced if forced_day == day) >= FORCED_PER_DAY:
            raise ApiError(45009)
        forced.append((day, now))
        previous = self._stable.get(app_id)
        if previous is not None:
            self._end(previous, at=now)
        token = self._stable[app_id] = self._new(app_id, now)
        return token

    def revoke(self, app_id: str, *, now: float) -> None:
        """End every token of the app at once, as when its secret is reset."""
        for token in self._known.values():
            if token.app_id == app_id:
                self._end(token, at=now)

    def owner(self, value: str, *, now: float) -> str:
        """
        Return the app id that the token speaks for.

        Raise ``ApiError`` 41001 (none), 40014 (never issued), 42001 (too old), 40001 (replaced).
        """
        if not value:
            raise ApiError(41001)
        token = self._known.get(value)
        if token is None:
            raise ApiError(40014)
        if token.expires_at <= now:
            raise ApiError(42001)
        if token.ends_early_at is not None and token.ends_early_at <= now:
            raise ApiError(40001)
        return token.app_id

    def _new(self, app_id: str, now: float) -> Token:
        token = Token(app_id=app_id, expires_at=now + LIFETIME)
        self._known[token.value] = token
        return token

    @staticmethod
    def _end(token: Token, *, at: float) -> None:
        if token.ends_early_at is None or at < token.ends_early_at:
            token.ends_early_at = at
