"""
WeChat's errcodes: what each means, the exception it becomes, and whether asking again helps.

Source: the "全局返回码" table of developers.weixin.qq.com and the pages of the single endpoints.
The texts of errmsg are not used: they change, and they may hold addresses.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum, auto

from wxauth.exceptions import (
    WechatCodeInvalid,
    WechatConfigError,
    WechatError,
    WechatPhoneCodeInvalid,
    WechatQuotaExceeded,
    WechatRateLimited,
    WechatReauthorize,
    WechatScopeMissing,
    WechatSessionStale,
    WechatUnavailable,
    WechatUserBlocked,
)
from wxauth.wechat.types import Answer

CODE_TO_SESSION = "/sns/jscode2session"
STABLE_TOKEN = "/cgi-bin/stable_token"  # noqa: S105 a path
PHONE_NUMBER = "/wxa/business/getuserphonenumber"
CHECK_SESSION = "/wxa/checksession"
RESET_SESSION_KEY = "/wxa/resetusersessionkey"
OAUTH_EXCHANGE = "/sns/oauth2/access_token"
OAUTH_REFRESH = "/sns/oauth2/refresh_token"
USER_INFO = "/sns/userinfo"

BUSY = 2  # seconds until a client may try again
MINUTE = 60  # seconds; the limits of 45011 count per minute
CHINA = timezone(timedelta(hours=8))  # daily quotas start anew at its midnight


class Retry(StrEnum):
    """What makes the same wish succeed."""

    NO = auto()
    BACKOFF = auto()  # the same request, a moment later
    TOKEN = auto()  # the same request with a renewed access_token
    NEW_CODE = auto()  # the client must obtain a new code
    LATER = auto()  # the next minute, the next day, or after an operator has acted


@dataclass(frozen=True, slots=True)
class Meaning:
    """One row of the table."""

    text: str
    error: type[WechatError]
    retry: Retry = Retry.NO


def _config(text: str) -> Meaning:
    return Meaning(text, WechatConfigError)


def _used_up(text: str) -> Meaning:
    return Meaning(text, WechatCodeInvalid, Retry.NEW_CODE)


def _phone_refused(text: str) -> Meaning:
    return Meaning(text, WechatPhoneCodeInvalid, Retry.NEW_CODE)


def _stale_token(text: str) -> Meaning:
    # Who cannot help it with a renewed token is told to come back: table 9.1's "then 503".
    return Meaning(text, WechatUnavailable, Retry.TOKEN)


MEANINGS: Mapping[int, Meaning] = {
    -1: Meaning("WeChat is busy", WechatUnavailable, Retry.BACKOFF),
    40001: _stale_token("access_token is invalid or not the latest"),
    40002: _config("grant_type is wrong"),
    40003: Meaning("openid is not of this app", WechatError),
    40013: _config("app id is unknown"),
    40014: _stale_token("access_token is malformed or unknown"),
    40029: _used_up("code is wrong, expired, or of another app"),
    40030: Meaning("refresh_token is invalid", WechatReauthorize),
    40097: Meaning("arguments are invalid", WechatError),
    40125: _config("app secret is wrong"),
    40163: _used_up("code has been used"),
    40164: _config("our address is not on the app's list"),
    40226: Meaning("high-risk user", WechatUserBlocked),
    40243: _config("app secret is frozen"),
    41001: _config("access_token is missing"),
    41002: _config("app id is missing"),
    41003: Meaning("refresh_token is missing", WechatError),
    41004: _config("app secret is missing"),
    41008: _used_up("code is missing"),
    41009: Meaning("openid is missing", WechatError),
    42001: _stale_token("access_token has expired"),
    42002: Meaning("refresh_token has expired", WechatReauthorize),
    42003: _used_up("code has expired"),
    42007: Meaning("the person's grants are void", WechatReauthorize),
    43001: _config("GET is required"),
    43002: _config("POST is required"),
    43003: _config("https is required"),
    44002: _config("body is empty"),
    45009: Meaning("quota of the day is used up", WechatQuotaExceeded, Retry.LATER),
    45011: Meaning("limit of the minute is reached", WechatRateLimited, Retry.LATER),
    45035: _config("our address is not on the app's list"),
    47001: _config("body is not JSON"),
    48001: _config("the app lacks the permission for this call"),
    48004: _config("the app is banned from this call"),
    50001: Meaning("the app or the person has not allowed this", WechatError),
    50002: Meaning("account is restricted, frozen or cancelled", WechatUserBlocked),
    50004: _config("the app is banned from access tokens"),
    50005: Meaning("the person does not follow the account", WechatError),
    50007: _config("the app's account is frozen"),
    61003: _config("third-party platform: not authorised by this account"),
    61004: _config("third-party platform: our address is not on the list"),
    61005: Meaning("third-party platform: component ticket has expired", WechatError),
    61006: Meaning("third-party platform: component ticket is invalid", WechatError),
    61007: _config("third-party platform: permission is missing"),
    61023: Meaning("third-party platform: refresh_token is invalid", WechatError),
    61024: _config("third-party platform: the token is of the wrong kind"),
    63178: Meaning("app id is wrong for changeopenid", WechatError),
    87007: Meaning("session_key is gone", WechatSessionStale),
    87008: Meaning("sig_method is wrong", WechatError),
    87009: Meaning("session_key is not the current one", WechatSessionStale),
    89002: Meaning("the app is not bound to an Open Platform account", WechatError),
    89300: Meaning("order is unknown, foreign or too old", WechatError),
    89501: _config("the app's administrator must confirm our address"),
    89503: _config("the app's administrator must confirm this call"),
    89504: _config("the app's administrator has been asked to confirm our address"),
    89505: _config("the app's administrator has been asked to confirm this call"),
    89506: _config("the app's administrator has refused our address for a day"),
    89507: _config("the app's administrator has refused our address for an hour"),
}

_SECRET_REFUSED = _config("app secret is wrong")

# Where an endpoint means something else by the same number.
AT_ENDPOINT: Mapping[str, Mapping[int, Meaning]] = {
    CODE_TO_SESSION: {40001: _SECRET_REFUSED},
    STABLE_TOKEN: {40001: _SECRET_REFUSED},
    PHONE_NUMBER: {
        40003: _phone_refused("phone code and openid do not belong together"),
        40013: _phone_refused("phone code is of another app"),
        40029: _phone_refused("phone code is wrong, used, expired, or of another kind"),
        40163: _phone_refused("phone code has been used"),
        41008: _phone_refused("phone code is missing"),
        42003: _phone_refused("phone code has expired"),
    },
    OAUTH_EXCHANGE: {40001: _SECRET_REFUSED},
    USER_INFO: {
        # The token is the person's, and not the app's, which would be renewed.
        **dict.fromkeys((40001, 40014, 42001), Meaning("the grant is over", WechatReauthorize)),
        48001: Meaning("the person has not granted userinfo", WechatScopeMissing),
    },
}

_UNKNOWN = Meaning("errcode without a meaning here", WechatError)

# An errcode for a phone code of another person is not documented. All that are not about the
# token, an outage, a limit, or the app are therefore a refusal of this code.
_UNKNOWN_AT: Mapping[str, Meaning] = {PHONE_NUMBER: _phone_refused("phone code is refused")}

# Seen: ", rid: X", " rid: X", " hint: [..] rid: X", and of old ", hints: [ req_id: X ]".
_RID = re.compile(r"\b(?:rid|req_id):\s*([0-9A-Za-z_.-]{1,64})")


def find_errcode(answer: Answer) -> int:
    """
    Return the answer's errcode, 0 when there is none, as with a successful code2Session.

    Raise ``WechatUnavailable`` when it is not a number. The text "40029" is one; it occurs.
    """
    raw = answer.get("errcode")
    try:
        return 0 if raw is None else int(raw)
    except (TypeError, ValueError, OverflowError):
        pass
    raise WechatUnavailable(reason="errcode is not a number", retry_after=BUSY)


def meaning(path: str, errcode: int) -> Meaning:
    """Return what ``errcode``, which is not 0, says when ``path`` answers it."""
    special = AT_ENDPOINT.get(path, {}).get(errcode)
    if special:
        return special
    known = MEANINGS.get(errcode)
    if known and known.error is not WechatError:
        return known
    return _UNKNOWN_AT.get(path) or known or _UNKNOWN


def find_rid(answer: Answer) -> str | None:
    """Return the request's id, by which WeChat explains an error for 7 days, or None."""
    errmsg = answer.get("errmsg")
    found = _RID.findall(errmsg) if isinstance(errmsg, str) else []
    return found[-1] if found else None


def refusal(path: str, answer: Answer, *, now: datetime | None = None) -> WechatError:
    """
    Build the exception for an answer of ``path`` whose errcode is not 0.

    Of errmsg only the rid gets into it. ``now`` (aware) is the present when not given.
    """
    errcode = find_errcode(answer)
    row = meaning(path, errcode)
    retry_after = None
    if row.error is WechatRateLimited:
        retry_after = MINUTE
    elif row.error is WechatQuotaExceeded:
        retry_after = seconds_to_midnight_in_china(now or datetime.now(UTC))
    elif row.error is WechatUnavailable:
        retry_after = BUSY
    return row.error(
        reason=f"{path}: {row.text}",
        errcode=errcode,
        rid=find_rid(answer),
        retry_after=retry_after,
    )


def seconds_to_midnight_in_china(now: datetime) -> int:
    """Return how many seconds (at least 1) remain of the day of WeChat's daily quotas."""
    local = now.astimezone(CHINA)
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(1, int((midnight - local).total_seconds()))
