"""How often WeChat may be called: by an app per minute and per day, for one person per minute."""

from dataclasses import dataclass

from wxauth.simulator.errors import ApiError

MINUTE = 60  # seconds
DAY = 86_400  # seconds
BEIJING = 8 * 3600  # seconds; daily quotas end at midnight UTC+8


@dataclass(frozen=True, slots=True)
class Limit:
    """What one path allows; None: as much as one likes."""

    per_minute: int | None = None
    per_day: int | None = None
    per_person_minute: int | None = None


DEFAULT_LIMITS = {
    "/sns/jscode2session": Limit(per_person_minute=100),
    "/sns/component/jscode2session": Limit(per_person_minute=100),
    "/sns/oauth2/access_token": Limit(per_minute=50_000),
    "/sns/oauth2/component/access_token": Limit(per_minute=50_000),
    "/sns/oauth2/refresh_token": Limit(per_minute=50_000),
    "/sns/userinfo": Limit(per_minute=50_000),
    "/cgi-bin/token": Limit(per_day=2000),
    "/cgi-bin/stable_token": Limit(per_minute=10_000, per_day=500_000),
    # "Frequent" resets of one person are refused; WeChat does not say how frequent.
    "/wxa/resetusersessionkey": Limit(per_minute=60_000, per_person_minute=10),
}


def day_of(now: float) -> int:
    """Return the number of the day, in Beijing, that this Unix time falls on."""
    return int((now + BEIJING) // DAY)


class Counters:
    """The limits in force, and what has been used of them."""

    def __init__(self) -> None:
        self.limits = dict(DEFAULT_LIMITS)
        self._days: dict[tuple[str, str], tuple[int, int]] = {}
        # A minute begins with its first call, so that a test's outcome does not depend on when
        # it runs.
        self._minutes: dict[tuple[str, str, str], tuple[float, int]] = {}

    def count(self, path: str, app_id: str, *, now: float) -> None:
        """Count a call of the app. Raise ``ApiError`` 45009 or 45011 for one too many."""
        limit = self.limits.get(path, Limit())
        if limit.per_day is not None:
            day, used = self._days.get((path, app_id), (0, 0))
            used = used if day == day_of(now) else 0
            if used >= limit.per_day:
                raise ApiError(45009)
            self._days[path, app_id] = (day_of(now), used + 1)
        self._count_minute((path, app_id, ""), limit.per_minute, now)

    def count_person(self, path: str, app_id: str, name: str, *, now: float) -> None:
        """Count a call for one person. Raise ``ApiError`` 45011 for one too many."""
        limit = self.limits.get(path, Limit())
        self._count_minute((path, app_id, name), limit.per_person_minute, now)

    def _count_minute(self, key: tuple[str, str, str], allowed: int | None, now: float) -> None:
        if allowed is None:
            return
        since, used = self._minutes.get(key, (now, 0))
        if now - since >= MINUTE:
            since, used = now, 0
        if used >= allowed:
            raise ApiError(45011)
        self._minutes[key] = (since, used + 1)
