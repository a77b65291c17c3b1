"""Where a request comes from, as far as it tells."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """
    What a request tells of where it comes from: for lists and records, not for decisions.

    ``session_lifetime`` is how long a session that opens there lasts, when its client cannot
    refresh tokens; None for those that can.
    """

    user_agent: str = ""
    ip_address: str | None = None
    session_lifetime: timedelta | None = None


NOWHERE = Device()
