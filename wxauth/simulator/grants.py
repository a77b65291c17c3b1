"""What people have granted to apps over the web: sns access and refresh tokens."""

import secrets
from dataclasses import dataclass, field

from wxauth.simulator.errors import ApiError

ACCESS_LIFETIME = 7200  # seconds
DAY = 86_400  # seconds
REFRESH_LIFETIME = {"official_account": 30 * DAY, "website": 30 * DAY, "mobile": 180 * DAY}


@dataclass
class Grant:
    """One authorisation of one person for one app; ``openid`` may be that of nobody real."""

    app_id: str
    name: str
    openid: str
    scope: str  # comma separated
    refresh_ends_at: float
    is_snapshot: bool = False
    is_void: bool = False  # the person has changed the WeChat password
    refresh_token: str = field(repr=False, default_factory=lambda: "99_" + secrets.token_hex(45))
    access_token: str = field(repr=False, default="")
    access_ends_at: float = 0.0


class Grants:
    """All grants, the ended ones too: each end has its own errcode."""

    def __init__(self) -> None:
        self._by_access: dict[str, Grant] = {}
        self._by_refresh: dict[str, Grant] = {}

    def add(self, grant: Grant, *, now: float) -> Grant:
        """Remember the grant, with a new access_token."""
        self._by_refresh[grant.refresh_token] = grant
        self._renew(grant, now)
        return grant

    def refresh(self, refresh_token: str, *, app_id: str, now: float) -> Grant:
        """
        Prolong an access_token that is still good, or make a new one.

        Raise ``ApiError`` 41003 (none), 40030 (unknown, or another app's), 42002 (too old), 42007.
        """
        if not refresh_token:
            raise ApiError(41003)
        grant = self._by_refresh.get(refresh_token)
        if grant is None or grant.app_id != app_id:
            raise ApiError(40030)
        if grant.is_void:
            raise ApiError(42007)
        if grant.refresh_ends_at <= now:
            raise ApiError(42002)
        if grant.access_ends_at > now:
            grant.access_ends_at = now + ACCESS_LIFETIME
        else:
            self._renew(grant, now)
        return grant

    def find(self, access_token: str, *, now: float) -> Grant:
        """
        Return the grant of this access_token.

        Raise ``ApiError`` 41001 (none), 40001 (unknown), 42001 (too old), 42007.
        """
        if not access_token:
            raise ApiError(41001)
        grant = self._by_access.get(access_token)
        if grant is None:
            raise ApiError(40001)
        if grant.is_void:
            raise ApiError(42007)
        if grant.access_token != access_token or grant.access_ends_at <= now:
            raise ApiError(42001)
        return grant

    def void(self, name: str) -> None:
        """End all grants of this person, as a change of the WeChat password does."""
        for grant in self._by_refresh.values():
            if grant.name == name:
                grant.is_void = True

    def _renew(self, grant: Grant, now: float) -> None:
        grant.access_token = "99_" + secrets.token_hex(45)
        grant.access_ends_at = now + ACCESS_LIFETIME
        self._by_access[grant.access_token] = grant
