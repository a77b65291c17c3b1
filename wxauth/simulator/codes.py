"""The single-use codes that phones and pages hand out: for logins, numbers, authorisations."""

import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from wxauth.simulator.errors import ApiError

LIFETIME = 300  # seconds
OPEN_PLATFORM_LIFETIME = 600  # seconds, for websites and mobile apps
KEPT = 100_000  # codes remembered, so that a simulator that runs for weeks does not fill the memory


class CodeKind(StrEnum):
    """Where a code comes from, and so the one endpoint that takes it."""

    LOGIN = "login"  # wx.login
    PHONE = "phone"  # the phone button
    OAUTH = "oauth"  # an authorisation on a page, or by the SDK of a mobile app


@dataclass
class Code:
    """One code and what it is worth: for a login the session_key of the moment of its issue."""

    kind: CodeKind
    app_id: str
    name: str
    issued_at: float
    session_key: str | None = field(default=None, repr=False)
    phone_info: dict[str, Any] | None = field(default=None, repr=False)
    scope: str = ""  # of an authorisation
    is_snapshot: bool = False
    lifetime: int = LIFETIME  # seconds
    used: bool = False


class Codes:
    """Every code issued, the used ones too: a used one has its own errcode."""

    def __init__(self) -> None:
        self._codes: dict[str, Code] = {}

    def issue(self, code: Code) -> str:
        """Return the text of the new code: 64 characters for a phone, 32 for the others."""
        if code.kind is not CodeKind.PHONE:
            text = "0" + secrets.token_hex(16)[:31]
        else:
            text = secrets.token_hex(32)
        self._codes[text] = code
        if len(self._codes) > KEPT:
            del self._codes[next(iter(self._codes))]
        return text

    def find_login(self, text: str, *, app_id: str, now: float) -> Code:
        """
        Return the unspent login code of this app.

        Raise ``ApiError`` 40163 when it is used, 40029 when it is anything else that is wrong.
        """
        code = self._find(text, CodeKind.LOGIN)
        if code.app_id != app_id:
            raise ApiError(40029)
        if code.used:
            raise ApiError(40163)
        if now - code.issued_at >= LIFETIME:
            raise ApiError(40029)
        return code

    def find_phone(self, text: str, *, app_id: str, now: float) -> Code:
        """
        Return the unspent phone code.

        Raise ``ApiError`` 40013 when it is of another app than the caller's access_token, 40029
        when it is anything else that is wrong: a used phone code has no errcode of its own.
        """
        code = self._find(text, CodeKind.PHONE)
        if code.app_id != app_id:
            raise ApiError(40013)
        if code.used or now - code.issued_at >= LIFETIME:
            raise ApiError(40029)
        return code

    def find_oauth(self, text: str, *, app_id: str, now: float) -> Code:
        """
        Return the unspent code of an authorisation for this app.

        Raise ``ApiError`` 40163 when it is used, 42003 when it is too old, 40029 else.
        """
        code = self._find(text, CodeKind.OAUTH)
        if code.app_id != app_id:
            raise ApiError(40029)
        if code.used:
            raise ApiError(40163)
        if now - code.issued_at >= code.lifetime:
            raise ApiError(42003)
        return code

    def _find(self, text: str, kind: CodeKind) -> Code:
        code = self._codes.get(text)
        if code is None or code.kind is not kind:
            raise ApiError(40029)
        return code
