"""One row of a file with the people of another backend: what it says, or what is wrong with it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from wxauth.exceptions import PhoneInputInvalid
from wxauth.models import WechatProfile
from wxauth.models.identity import ID_LENGTH, NOT_AN_ID
from wxauth.services.numbers import read_number
from wxauth.services.open_data import clean_avatar_url, clean_nickname

REQUIRED = ("openid", "uid")
OPTIONAL = (
    "unionid",
    "phone",
    "referrer",
    "nickname",
    "avatar_url",
    "gender",
    "registered_at",
)
ABSENT = {"", "null", "NULL", "None", "undefined", "\\N"}  # what databases write for nothing

_ID = re.compile(rf"[!-~]{{1,{ID_LENGTH}}}")
_UID = re.compile(r"[1-9][0-9]{0,18}")
_CHINESE_MOBILE = re.compile(r"1[3-9][0-9]{9}")


@dataclass(frozen=True, slots=True)
class Row:
    """One person. ``line`` is where they stand in the file, from 2 on."""

    line: int
    openid: str
    uid: int
    unionid: str | None
    phone: str | None  # E.164
    referrer: int | None
    nickname: str
    avatar_url: str
    gender: int
    registered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row, or its referrer alone, that is not taken over, and why."""

    line: int
    uid: str
    reason: str  # a stable word
    sentence: str


class ColumnsInvalid(ValueError):
    """The first line of the file names other columns than it should."""


def check_columns(names: Iterable[str]) -> None:
    """Raise ``ColumnsInvalid`` unless the names are ours, those that must be there among them."""
    found = list(names)
    missing = [name for name in REQUIRED if name not in found]
    unknown = [name for name in found if name not in (*REQUIRED, *OPTIONAL)]
    if missing:
        raise ColumnsInvalid(f"the columns {', '.join(missing)} are missing")
    if unknown:
        raise ColumnsInvalid(f"there is no column {', '.join(map(repr, unknown))} here")
    if len(set(found)) < len(found):
        raise ColumnsInvalid("a column stands twice")


def read_rows(
    lines: Iterable[tuple[int, Mapping[str, str | None]]], *, largest_uid: int
) -> Iterator[Row | Refusal]:
    """Yield what each line says, from its number and its cells by name of column."""
    for line, cells in lines:
        uid = (cells.get("uid") or "").strip()
        try:
            yield _read_row(line, cells, largest_uid=largest_uid)
        except ValueError as error:
            reason, sentence = error.args
            yield Refusal(line, uid[:20], reason, sentence)


def _read_row(line: int, cells: Mapping[str, str | None], *, largest_uid: int) -> Row:
    if None in cells or None in cells.values():
        raise ValueError("cells", "This line has more or fewer cells than the first one.")
    texts = {name: (text or "").strip() for name, text in cells.items()}
    values = {name: "" if text in ABSENT else text for name, text in texts.items()}
    uid, referrer = values["uid"], values.get("referrer", "")
    if not _UID.fullmatch(uid) or int(uid) > largest_uid:
        raise ValueError("uid_invalid", f"uid is not a number from 1 to {largest_uid}.")
    return Row(
        line=line,
        openid=_read_id(values["openid"], "openid"),
        uid=int(uid),
        unionid=_read_id(values["unionid"], "unionid") if values.get("unionid") else None,
        phone=_read_phone(values["phone"]) if values.get("phone") else None,
        referrer=int(referrer) if _UID.fullmatch(referrer) else 0 if referrer not in "0" else None,
        nickname=clean_nickname(texts.get("nickname", "")),
        avatar_url=clean_avatar_url(values.get("avatar_url", "")),
        gender=_read_gender(values.get("gender", "")),
        registered_at=_read_time(values.get("registered_at", "")),
    )


def _read_id(text: str, name: str) -> str:
    if not _ID.fullmatch(text) or text in NOT_AN_ID:
        raise ValueError(f"{name}_invalid", f"{name} is not an id that WeChat gives.")
    return text


def _read_phone(text: str) -> str:
    if _CHINESE_MOBILE.fullmatch(text):
        return f"+86{text}"  # nearly all of them, and a parser takes its time
    try:
        return read_number(text)
    except PhoneInputInvalid:
        raise ValueError("phone_invalid", "phone is not a phone number.") from None


def _read_gender(text: str) -> int:
    return int(text) if text in {"0", "1", "2"} else WechatProfile.Gender.UNKNOWN


def _read_time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = parse_datetime(text)
        day = None if moment else parse_date(text)
    except ValueError:
        moment = day = None
    if moment is None and day is not None:
        moment = datetime(day.year, day.month, day.day)  # made aware below
    if moment is None:
        raise ValueError("registered_at_invalid", "registered_at is not like 2024-05-01 09:30:00.")
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
