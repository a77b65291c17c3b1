"""The keys that WeChat shares with an app for one person: session_key and the encrypt keys."""

import base64
import random
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

ENCRYPT_KEY_LIFETIME = 3600  # seconds
ENCRYPT_KEYS_SHOWN = 3

Owner = tuple[str, str]  # a person's name and an app id


class Rotation(StrEnum):
    """Whether issuing a login code makes a new session_key. At WeChat it is "sometimes"."""

    ALWAYS = "always"
    NEVER = "never"
    RANDOM = "random"


class SessionKeys:
    """One valid session_key per person and app."""

    def __init__(self, *, seed: int = 0) -> None:
        self.rotation = Rotation.ALWAYS
        self._keys: dict[Owner, str] = {}
        self._random = random.Random(seed)  # noqa: S311 (the same choices in each run)

    def current(self, owner: Owner) -> str:
        """Return the valid key, a new one when there is none."""
        return self._keys.get(owner) or self.renew(owner)

    def find(self, owner: Owner) -> str | None:
        """Return the valid key, or None before the first login and after ``forget``."""
        return self._keys.get(owner)

    def renew(self, owner: Owner) -> str:
        """Replace the key and return the new one: base64 of 16 bytes."""
        key = self._keys[owner] = base64.b64encode(secrets.token_bytes(16)).decode()
        return key

    def at_login(self, owner: Owner) -> str:
        """Return the key that goes with a login code issued now."""
        rotates = self.rotation is Rotation.ALWAYS or (
            self.rotation is Rotation.RANDOM and self._random.random() < 0.5
        )
        return self.renew(owner) if rotates else self.current(owner)

    def forget(self, owner: Owner) -> None:
        """Let the key expire without a successor."""
        self._keys.pop(owner, None)


@dataclass(frozen=True, slots=True)
class EncryptKey:
    """One key of ``wx.getUserCryptoManager``: base64 of 16 bytes, and a 16-character iv."""

    version: int
    created_at: int
    encrypt_key: str = field(repr=False)
    iv: str = field(repr=False)

    def expires_in(self, now: float) -> int:
        """Return the seconds left, 0 once it has expired."""
        return max(0, int(self.created_at + ENCRYPT_KEY_LIFETIME - now))


class EncryptKeys:
    """The encrypt keys of each person and app; a new version when the newest has expired."""

    def __init__(self) -> None:
        self._keys: dict[Owner, list[EncryptKey]] = {}

    def recent(self, owner: Owner, *, now: float) -> list[EncryptKey]:
        """Return up to three keys, the newest first; the first is always valid."""
        keys = self._keys.setdefault(owner, [])
        if not keys or not keys[0].expires_in(now):
            key = EncryptKey(
                version=keys[0].version + 1 if keys else 1,
                created_at=int(now),
                encrypt_key=base64.b64encode(secrets.token_bytes(16)).decode(),
                iv=secrets.token_hex(8),
            )
            keys.insert(0, key)
            del keys[ENCRYPT_KEYS_SHOWN:]
        return keys

    def as_client_sees(self, owner: Owner, *, now: float) -> dict[str, Any]:
        """Return what ``getLatestUserKey`` gives to the mini program."""
        key = self.recent(owner, now=now)[0]
        return {
            "encryptKey": key.encrypt_key,
            "iv": key.iv,
            "version": key.version,
            "expireTime": key.created_at + ENCRYPT_KEY_LIFETIME,
        }
