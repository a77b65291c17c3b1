"""
Bytes into bytes: WeChat's open data and signatures, and the sealing of what we keep.

Pure functions, no Django. WeChat's side of it is described under "开放数据校验与解密" and
"用户登录态签名" in the mini program server documentation.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from typing import Any

from Crypto.Cipher import AES
from Crypto.Util.Padding import pad, unpad

from wxauth.exceptions import WechatDataInvalid, WechatSessionStale

BLOCK = 16  # bytes; open data pads to the AES block, unlike message push, which pads to 32
PUSH_BLOCK = 32  # bytes; also the size of the key
PUSH_HEAD = 20  # bytes before the message: 16 at random, 4 with its length
NONCE = 12  # bytes; the size for which AES-GCM is specified without an extra hash
TAG = 16  # bytes


def decrypt_open_data(
    encrypted_data: str, iv: str, *, session_key: str, app_id: str
) -> dict[str, Any]:
    """
    Return the JSON object inside ``encryptedData``.

    AES-128-CBC, PKCS#7 over 16-byte blocks; all three texts are base64, key and iv are 16 bytes
    once decoded. Raise ``WechatSessionStale`` when the data does not open with this key, which is
    what a key replaced by a newer ``wx.login`` looks like; ``WechatDataInvalid`` when the texts
    are not base64 of the right sizes, or the watermark names another app.

    CBC has no checksum and the caller chooses the iv, so the first 16 bytes of the result are
    under the caller's control: never take an identity from it.
    """
    key = _decode_base64(session_key, size=BLOCK)
    ciphertext, vector = _decode_open_data(encrypted_data, iv)
    padded = AES.new(key, AES.MODE_CBC, vector).decrypt(ciphertext)
    try:
        # strict=False: nicknames hold raw control characters.
        data = json.loads(unpad(padded, BLOCK).decode("utf-8"), strict=False)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        # One error for padding, UTF-8 and JSON, so that nobody can ask which one failed.
        raise WechatSessionStale(reason="encryptedData does not open with this session_key")
    watermark = data.get("watermark")
    if not isinstance(watermark, dict) or watermark.get("appid") != app_id:
        raise WechatDataInvalid(reason="watermark is missing or names another app")
    return data


def check_open_data(encrypted_data: str, iv: str) -> None:
    """Raise ``WechatDataInvalid`` when no key can open this: not base64 of the right sizes."""
    _decode_open_data(encrypted_data, iv)


def raw_data_signature(raw_data: str, session_key: str) -> str:
    """Return the lowercase hex SHA-1 that ``wx.getUserInfo`` delivers as ``signature``."""
    text = (raw_data + session_key).encode("utf-8", "surrogatepass")
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def check_raw_data(raw_data: str, signature: str, *, session_key: str) -> None:
    """Raise ``WechatDataInvalid`` unless ``signature`` belongs to this exact text and key."""
    expected = raw_data_signature(raw_data, session_key)
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass")):
        raise WechatDataInvalid(reason="rawData signature does not match")


def session_signature(session_key: str, message: bytes = b"") -> str:
    """
    Return the lowercase hex HMAC-SHA256 by which checksession and its kin prove a session_key.

    The key is the base64 *text* of session_key; decoding it first gives a signature that WeChat
    refuses. ``message`` is the POST body, empty for GET.
    """
    return hmac.new(session_key.encode(), message, hashlib.sha256).hexdigest()


def push_signature(token: str, timestamp: str, nonce: str, *encrypted: str) -> str:
    """
    Return the lowercase hex SHA-1 by which WeChat signs what it pushes.

    ``signature`` of the address without ``encrypted``, which says nothing of the body;
    ``msg_signature`` with the text of ``Encrypt``. See "消息推送" in the same documentation.
    """
    parts = sorted((token, timestamp, nonce, *encrypted))
    text = "".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def check_push_signature(
    signature: str, *, token: str, timestamp: str, nonce: str, encrypted: str | None = None
) -> None:
    """Raise ``WechatDataInvalid`` unless WeChat, which knows ``token``, made this signature."""
    more = () if encrypted is None else (encrypted,)
    expected = push_signature(token, timestamp, nonce, *more)
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass")):
        raise WechatDataInvalid(reason="the signature of the push does not match")


def decrypt_push(encrypted: str, *, aes_key: str, app_id: str) -> bytes:
    """
    Return the message inside ``Encrypt``, whose signature must have been checked before.

    AES-256-CBC under ``aes_key``, the 43 characters of EncodingAESKey, whose first 16 bytes are the
    iv; PKCS#7 over blocks of 32 bytes. Inside: 16 random bytes, the length of the message in four
    bytes, most significant first, the message, the app id. Raise ``WechatDataInvalid``.
    """
    key = _decode_base64(f"{aes_key}=", size=PUSH_BLOCK)
    ciphertext = _decode_base64(encrypted)
    if not ciphertext or len(ciphertext) % BLOCK:
        raise WechatDataInvalid(reason="Encrypt is not a whole number of blocks")
    padded = AES.new(key, AES.MODE_CBC, key[:BLOCK]).decrypt(ciphertext)
    count = padded[-1]
    plain = padded[:-count]
    end = PUSH_HEAD + int.from_bytes(plain[BLOCK:PUSH_HEAD])
    # One error for all, so that nobody can ask which check failed.
    if (
        not 1 <= count <= PUSH_BLOCK
        or padded[-count:] != bytes([count]) * count
        or not PUSH_HEAD <= end <= len(plain)
        or plain[end:] != app_id.encode()
    ):
        raise WechatDataInvalid(reason="Encrypt does not open with this key, or is of another app")
    return plain[PUSH_HEAD:end]


def encrypt_push(message: bytes, *, aes_key: str, app_id: str, random: bytes | None = None) -> str:
    """Return the ``Encrypt`` that ``decrypt_push`` opens. ``random`` is 16 bytes, for tests."""
    key = _decode_base64(f"{aes_key}=", size=PUSH_BLOCK)
    head = (random or secrets.token_bytes(BLOCK)) + len(message).to_bytes(PUSH_HEAD - BLOCK)
    padded = pad(head + message + app_id.encode(), PUSH_BLOCK)
    return base64.b64encode(AES.new(key, AES.MODE_CBC, key[:BLOCK]).encrypt(padded)).decode()


def derive_key(secret: str) -> bytes:
    """Return a 32-byte key for ``seal`` that is of no use where ``secret`` itself is used."""
    return hmac.new(b"wxauth.seal", secret.encode(), hashlib.sha256).digest()


def keyed_digest(text: str, *, secret: str, context: str) -> str:
    """
    Return 64 hex digits that stand for ``text``: HMAC-SHA256 under a key made from ``secret``.

    For what is too short to be hidden by a hash alone, such as six digits or a phone number: who
    has the digests, and not the secret, cannot try them all.
    """
    key = hmac.new(b"wxauth.digest", secret.encode(), hashlib.sha256).digest()
    message = f"{context}\0{text}".encode("utf-8", "surrogatepass")
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def seal(plaintext: bytes, *, key: bytes, context: str) -> bytes:
    """Return nonce, tag and AES-256-GCM ciphertext; only the same ``context`` opens it again."""
    nonce = secrets.token_bytes(NONCE)
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=TAG)
    cipher.update(context.encode())
    ciphertext, tag = cipher.encrypt_and_digest(plaintext)
    return nonce + tag + ciphertext


def unseal(sealed: bytes, *, keys: Sequence[bytes], context: str) -> bytes | None:
    """Return what ``seal`` was given, or None when no key opens it (rotated away, or tampered)."""
    nonce, tag, ciphertext = (
        sealed[:NONCE],
        sealed[NONCE : NONCE + TAG],
        sealed[NONCE + TAG :],
    )
    if len(tag) != TAG:
        return None
    for key in keys:
        cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=TAG)
        cipher.update(context.encode())
        try:
            return cipher.decrypt_and_verify(ciphertext, tag)
        except ValueError:
            continue
    return None


def _decode_open_data(encrypted_data: str, iv: str) -> tuple[bytes, bytes]:
    vector = _decode_base64(iv, size=BLOCK)
    ciphertext = _decode_base64(encrypted_data)
    if not ciphertext or len(ciphertext) % BLOCK:
        raise WechatDataInvalid(reason="encryptedData is not a whole number of blocks")
    return ciphertext, vector


def _decode_base64(text: str, *, size: int | None = None) -> bytes:
    try:
        # validate=True: Python otherwise drops the spaces into which forms turn "+".
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        decoded = None
    if decoded is None or (size is not None and len(decoded) != size):
        raise WechatDataInvalid(reason="not base64 of the expected size")
    return decoded
