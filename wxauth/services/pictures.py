"""Pictures with a code that a person reads and a simple program does not."""

import hashlib
import hmac
import secrets

from wxauth import images, sealed_cache
from wxauth.exceptions import PictureCodeInvalid

LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # none that looks like another one
LENGTH = 4
TTL = 300  # seconds


def draw_picture(*, key: str) -> bytes:
    """
    Return a PNG with a new code for ``key``, which the client has chosen; the one before is dead.

    Raise ``StoreUnavailable``.
    """
    code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    sealed_cache.put(_name(key), code.encode(), ttl=TTL)
    return images.draw_code(code)


def check_picture(*, key: str, typed: str) -> None:
    """Raise ``PictureCodeInvalid`` when the picture says something else, which also ends it."""
    code = sealed_cache.get(_name(key))
    if code is None or not hmac.compare_digest(code, typed.strip().upper().encode()):
        sealed_cache.delete(_name(key))  # one guess for each picture
        raise PictureCodeInvalid(reason="wrong, old, or used")


def use_picture(*, key: str, typed: str) -> None:
    """Do what ``check_picture`` does, and let nobody use the same picture again."""
    check_picture(key=key, typed=typed)
    if not sealed_cache.delete(_name(key)):
        raise PictureCodeInvalid(reason="used by another request at the same moment")


def _name(key: str) -> str:
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"wxauth:picture:{digest}"
