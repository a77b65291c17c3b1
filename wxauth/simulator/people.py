"""
The people of the simulated WeChat: who they are to each app, and what their phone tells of them.

Ids are hashes of names, so a person has the same openid, unionid and number in every run.
"""

import base64
import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

ANONYMOUS_NICKNAME = "微信用户"  # since 2021-04 for getUserInfo, since 2022-11 for getUserProfile
ANONYMOUS_AVATAR = "https://thirdwx.qlogo.cn/mmopen/vi_32/SIMULATOR/132"
# 1740[0-5] belongs to satellite telephones of the emergency service: no private person has such
# a number, and the international numbering plan still knows it as a valid Chinese mobile number.
PHONE_PREFIX, PHONE_NUMBERS = "1740", 6_000_000


@dataclass
class Person:
    """
    Someone with a phone. Set any field at any time; it counts from the next call on.

    ``nickname`` and ``avatar_url`` of None: the anonymous profile that WeChat shows today.
    ``unionid_hidden``: True, or the ids of the apps that do not see the unionid (yet).
    """

    name: str
    phone_number: str = ""  # without the country's prefix; empty: no number in this account
    country_code: str = "86"
    nickname: str | None = None
    avatar_url: str | None = None
    gender: int = 0  # 0, and no region, for everybody since 2021-10-20
    language: str = "zh_CN"
    city: str = ""
    province: str = ""
    country: str = ""
    blocked: bool = False
    unionid_hidden: bool | Collection[str] = field(default=False)

    def hides_unionid_from(self, app_id: str) -> bool:
        """Return whether this app gets no unionid for this person."""
        if isinstance(self.unionid_hidden, bool):
            return self.unionid_hidden
        return app_id in self.unionid_hidden

    def profile(self) -> dict[str, Any]:
        """Return the object that ``rawData`` is the text of."""
        return {
            "nickName": ANONYMOUS_NICKNAME if self.nickname is None else self.nickname,
            "gender": self.gender,
            "language": self.language,
            "city": self.city,
            "province": self.province,
            "country": self.country,
            "avatarUrl": ANONYMOUS_AVATAR if self.avatar_url is None else self.avatar_url,
        }

    def phone(self) -> dict[str, Any]:
        """Return the three number fields; only foreign numbers carry their prefix."""
        number = self.phone_number
        return {
            "phoneNumber": number if self.country_code == "86" else f"+{self.country_code}{number}",
            "purePhoneNumber": number,
            "countryCode": self.country_code,
        }


def openid_of(name: str, app_id: str) -> str:
    """Return the person's id in one app: 28 characters, starting with "o"."""
    return _id("openid", name, app_id)


def unionid_of(name: str, union_scope: str) -> str:
    """Return the person's id in one Open Platform account: of the same form as an openid."""
    return _id("unionid", name, union_scope)


def phone_number_of(name: str, *, attempt: int = 0) -> str:
    """Return eleven digits that belong to nobody; ``attempt`` steps on when another has them."""
    digest = hashlib.sha256(_join("phone", name)).digest()
    number = (int.from_bytes(digest[:8]) + attempt) % PHONE_NUMBERS
    return f"{PHONE_PREFIX}{number:07d}"


def _id(*parts: str) -> str:
    return "o" + base64.urlsafe_b64encode(hashlib.sha256(_join(*parts)).digest()).decode()[:27]


def _join(*parts: str) -> bytes:
    # Lengths, so that no choice of names and app ids runs into another.
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(b"%d:%b" % (len(part), part) for part in encoded)
