"""Data that WeChat encrypted for us and a client carried: is it whole, ours, recent, and new?"""

import hashlib
import time
import unicodedata
from base64 import b64decode
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from wxauth import crypto, sealed_cache
from wxauth.exceptions import WechatDataInvalid, WechatSessionStale
from wxauth.identities import ConfirmedPerson
from wxauth.models import WechatProfile

MAX_AGE = 600  # seconds between WeChat's watermark and us
NICKNAME_LENGTH = 128  # characters
ANONYMOUS = "微信用户"  # what WeChat calls everybody since 2021-04-28, with a grey picture


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenData:
    """
    ``encryptedData`` and ``iv`` as the client got them from WeChat, both base64.

    Raise ``WechatDataInvalid`` when they cannot be: before a code is spent for their sake.
    """

    encrypted_data: str
    iv: str
    raw_data: str | None = None
    signature: str | None = None

    def __post_init__(self) -> None:
        crypto.check_open_data(self.encrypted_data, self.iv)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How a person wants to be shown. Untrusted text, but safe to store and to link to."""

    nickname: str = ""
    avatar_url: str = ""
    gender: int = WechatProfile.Gender.UNKNOWN


def open_data(
    data: OpenData, *, session_key: str | None, app_id: str, openid: str
) -> dict[str, Any]:
    """
    Return what is inside, once: the same data is refused the second time.

    Raise ``WechatSessionStale`` when the session_key is gone or another, ``WechatDataInvalid``
    when the data is of another app or person, too old, or used, ``StoreUnavailable``.
    """
    if session_key is None:
        raise WechatSessionStale(reason="no session_key came with this proof")
    opened = crypto.decrypt_open_data(
        data.encrypted_data, data.iv, session_key=session_key, app_id=app_id
    )
    # After the decryption: with a key that is stale this would look like an attack.
    if data.raw_data is not None and data.signature is not None:
        crypto.check_raw_data(data.raw_data, data.signature, session_key=session_key)
    # Only some data names its person; where it does, the iv lets a client rewrite the name.
    if opened.get("openId", openid) != openid:
        raise WechatDataInvalid(reason="the data is of another person")
    _check_age(opened)
    # The bytes, not the text: base64 has several spellings of the same bytes.
    digest = hashlib.sha256(app_id.encode() + b64decode(data.encrypted_data)).hexdigest()
    if not sealed_cache.first_use(f"wxauth:open_data:{digest}", ttl=2 * MAX_AGE):
        raise WechatDataInvalid(reason="the data has been used before")
    return opened


def open_data_of(*, person: ConfirmedPerson, data: OpenData) -> dict[str, Any]:
    """Return what is inside ``data`` of this person, by the session_key of their login code."""
    return open_data(
        data, session_key=person.session_key, app_id=person.app.app_id, openid=person.openid
    )


def read_profile(person: ConfirmedPerson, data: OpenData) -> Profile:
    """Return the profile inside ``data``; raise what ``open_data`` raises."""
    opened = open_data_of(person=person, data=data)
    return make_profile(
        nickname=opened.get("nickName"),
        avatar_url=opened.get("avatarUrl"),
        gender=opened.get("gender"),
    )


def make_profile(*, nickname: Any, avatar_url: Any, gender: Any = None) -> Profile:
    """Return what WeChat says of a person; nothing when it says only what it says of everybody."""
    name = clean_nickname(nickname)
    if name == ANONYMOUS:
        return Profile()
    return Profile(
        nickname=name,
        avatar_url=clean_avatar_url(avatar_url),
        gender=gender if gender in WechatProfile.Gender.values else WechatProfile.Gender.UNKNOWN,
    )


def _check_age(opened: dict[str, Any]) -> None:
    made_at = opened["watermark"].get("timestamp")
    if type(made_at) is not int or abs(int(time.time()) - made_at) > MAX_AGE:
        raise WechatDataInvalid(reason="the data is too old, or from the future")


def clean_nickname(value: Any) -> str:
    """Return the text without what no profile can hold; empty for what is no text."""
    return _clean(value)[:NICKNAME_LENGTH]


def _clean(value: Any) -> str:
    # Nicknames come with control characters, and lone surrogates that no database takes.
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value if unicodedata.category(c) not in {"Cc", "Cs"}).strip()


def clean_avatar_url(value: Any) -> str:
    """Return the address when it is one that a page can show; else an empty text."""
    text = _clean(value)
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    is_link = parts.scheme in {"http", "https"} and bool(parts.netloc)
    return text if is_link and len(text) <= 1024 else ""
