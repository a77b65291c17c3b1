"""What the client hands to its server: ``encryptedData``, made as WeChat makes it."""

import base64
import hashlib
import secrets
from typing import Any

from Crypto.Cipher import AES
from Crypto.Util.Padding import pad

from wxauth.crypto import BLOCK
from wxauth.simulator.quirks import dump_json

KEPT = 100_000  # hashes remembered
CHECKABLE = 3 * 86_400  # seconds; checkencryptedmsg knows the last three days


def encrypt_open_data(data: dict[str, Any], *, session_key: str) -> dict[str, str]:
    """Return ``encryptedData`` and ``iv``: AES-128-CBC, PKCS#7 over 16 bytes, a random iv."""
    iv = secrets.token_bytes(BLOCK)
    plaintext = dump_json(data).encode()
    cipher = AES.new(base64.b64decode(session_key), AES.MODE_CBC, iv)
    return {
        "encryptedData": base64.b64encode(cipher.encrypt(pad(plaintext, BLOCK))).decode(),
        "iv": base64.b64encode(iv).decode(),
    }


class MadeData:
    """The phone data made so far, which checkencryptedmsg vouches for."""

    def __init__(self) -> None:
        self._made_at: dict[tuple[str, str], float] = {}

    def add(self, app_id: str, encrypted_data: str, *, now: float) -> None:
        """Remember both digests: it is not known whether WeChat hashes the text or the bytes."""
        for data in (encrypted_data.encode(), base64.b64decode(encrypted_data)):
            self._made_at[app_id, hashlib.sha256(data).hexdigest()] = now
        while len(self._made_at) > KEPT:
            del self._made_at[next(iter(self._made_at))]

    def made_at(self, app_id: str, digest: str, *, now: float) -> int | None:
        """Return the Unix seconds of its making; None: not here, for another app, too long ago."""
        made_at = self._made_at.get((app_id, digest.lower()))
        if made_at is None or now - made_at > CHECKABLE:
            return None
        return int(made_at)
