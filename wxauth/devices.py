"""Where a request comes from, as far as it tells."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What a request tells of where it comes from: for lists and records, not for decisions."""

    user_agent: str = ""
    ip_address: str | None = None


NOWHERE = Device()
