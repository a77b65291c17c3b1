"""
Every vector of ``vectors.json``: WeChat's published ones and made-up ones, good and bad.

No vector holds a real person's data.
"""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from Crypto.Cipher import AES

from wxauth import crypto
from wxauth.exceptions import WechatDataInvalid, WechatSessionStale

pytestmark = pytest.mark.static

VECTORS = json.loads(Path(__file__).with_name("vectors.json").read_text("utf-8"))
OFFICIAL, PHONE, *_ = VECTORS["decrypt_ok"]
EXPECTED_ERRORS = {
    "decrypt_failed": WechatSessionStale,
    "watermark_mismatch": WechatDataInvalid,
    "bad_input": WechatDataInvalid,
}


def by_name(vectors: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


def decrypt(vector: dict[str, Any], **changes: str) -> dict[str, Any]:
    fields = {**vector, **changes}
    return crypto.decrypt_open_data(
        fields["encrypted_data"],
        fields["iv"],
        session_key=fields["session_key"],
        app_id=fields["appid"] or "wx0123456789abcdef",
    )


def flip(text: str, position: int, bit: int = 1) -> str:
    """Return base64 ``text`` with one bit of the decoded byte at ``position`` turned over."""
    raw = bytearray(base64.b64decode(text))
    raw[position] ^= bit
    return base64.b64encode(raw).decode()


def size(text: str) -> int:
    return len(base64.b64decode(text))


@pytest.mark.parametrize("vector", by_name(VECTORS["decrypt_ok"]))
def test_good_data_opens(vector: dict[str, Any]) -> None:
    assert decrypt(vector) == json.loads(vector["plaintext"])


@pytest.mark.parametrize("vector", by_name(VECTORS["decrypt_reject"]))
def test_bad_data_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(EXPECTED_ERRORS[vector["expect"]]) as caught:
        decrypt(vector)

    # Neither the key nor what it opened may be found in the error.
    assert type(caught.value) is EXPECTED_ERRORS[vector["expect"]]
    assert vector["session_key"] not in repr(caught.value)
    assert caught.value.__context__ is None


def test_padding_text_and_json_faults_look_alike() -> None:
    """A padding oracle needs to tell them apart."""
    names = {"pad_zero", "pad_17", "pad_inconsistent", "plaintext_not_json", "invalid_utf8"}
    errors = set()
    for vector in VECTORS["decrypt_reject"]:
        if vector["name"] in names:
            with pytest.raises(WechatSessionStale) as caught:
                decrypt(vector)
            errors.add(str(caught.value))

    assert len(errors) == 1


@pytest.mark.parametrize("vector", by_name(VECTORS["decrypt_malleability"]))
def test_rewritten_openid_opens_and_so_is_never_an_identity(vector: dict[str, Any]) -> None:
    """It cannot be refused here: CBC has no checksum. Callers compare it with the session's."""
    opened = decrypt(vector)

    assert opened["openId"] == vector["decrypts_to_openid"]
    assert opened["openId"] != vector["session_openid"]


@pytest.mark.parametrize("position", range(crypto.BLOCK))
def test_one_flipped_byte_in_the_session_key_is_stale(position: int) -> None:
    with pytest.raises(WechatSessionStale):
        decrypt(OFFICIAL, session_key=flip(OFFICIAL["session_key"], position))


@pytest.mark.parametrize("position", [0, 1, 8, 9])
def test_one_flipped_byte_in_the_iv_that_breaks_the_json_is_stale(position: int) -> None:
    """The first bytes of the text are ``{"openId":``; these are its marks."""
    with pytest.raises(WechatSessionStale):
        decrypt(OFFICIAL, iv=flip(OFFICIAL["iv"], position, bit=4))


@pytest.mark.parametrize("vector", [OFFICIAL, PHONE], ids=["official", "phone"])
def test_one_flipped_byte_in_the_data_never_opens_as_the_original(vector: dict[str, Any]) -> None:
    original = decrypt(vector)
    refused = 0
    for position in range(size(vector["encrypted_data"])):
        changed = flip(vector["encrypted_data"], position)
        try:
            assert decrypt(vector, encrypted_data=changed) != original
        except (WechatSessionStale, WechatDataInvalid):
            refused += 1

    assert refused >= 0.9 * size(vector["encrypted_data"])


def test_one_changed_character_in_the_app_id_is_invalid() -> None:
    with pytest.raises(WechatDataInvalid):
        decrypt(OFFICIAL, appid=OFFICIAL["appid"][:-1] + "c")


@pytest.mark.parametrize("field", ["encrypted_data", "iv", "session_key"])
@pytest.mark.parametrize(
    "text",
    ["", "=", "AAAA", "\x00", "é", "\ud800", "AAAAAAAAAAAAAAAAAAAAAA", "A" * 23 + "*", "A" * 4097],
    ids=repr,
)
def test_what_is_not_base64_of_the_right_size_is_invalid(field: str, text: str) -> None:
    with pytest.raises(WechatDataInvalid):
        decrypt(OFFICIAL, **{field: text})


@pytest.mark.parametrize("vector", by_name(VECTORS["decrypt_reject"]))
def test_data_that_no_key_can_open_is_told_without_one(vector: dict[str, Any]) -> None:
    hopeless = {"not_multiple_of_16", "empty", "iv_15_bytes", "plus_turned_into_space"}
    try:
        crypto.check_open_data(vector["encrypted_data"], vector["iv"])
    except WechatDataInvalid:
        assert vector["name"] in hopeless
    else:
        assert vector["name"] not in hopeless


@pytest.mark.parametrize("field", ["encrypted_data", "iv", "session_key"])
@pytest.mark.parametrize("extra", [" ", "\n", "-", "*"], ids=repr)
def test_foreign_character_in_base64_is_not_passed_over(field: str, extra: str) -> None:
    text = OFFICIAL[field]

    with pytest.raises(WechatDataInvalid):
        decrypt(OFFICIAL, **{field: text[:8] + extra + text[8:]})


def seal_open_data(text: bytes) -> dict[str, str]:
    """Encrypt ``text`` as WeChat does, under the key and iv of the phone vector."""
    key, iv = base64.b64decode(PHONE["session_key"]), base64.b64decode(PHONE["iv"])
    padding = crypto.BLOCK - len(text) % crypto.BLOCK
    cipher = crypto.AES.new(key, crypto.AES.MODE_CBC, iv)
    data = cipher.encrypt(text + bytes([padding]) * padding)
    return {"encrypted_data": base64.b64encode(data).decode()}


def test_raw_control_character_in_a_nickname_opens() -> None:
    text = b'{"nickName":"a\x14b","watermark":{"appid":"wx0123456789abcdef"}}'

    assert decrypt(PHONE, **seal_open_data(text))["nickName"] == "a\x14b"


@pytest.mark.parametrize(
    "text",
    [b"[" * 100_000, b"1" * 5000, b'"text"', b"null", b"{}", b'{"watermark":[]}', b""],
    ids=["deep", "long number", "text", "null", "empty", "watermark list", "nothing"],
)
def test_json_that_is_no_object_of_ours_is_refused(text: bytes) -> None:
    with pytest.raises((WechatSessionStale, WechatDataInvalid)):
        decrypt(PHONE, **seal_open_data(text))


# Signatures


@pytest.mark.parametrize("vector", by_name(VECTORS["rawdata_signature_sha1"]))
def test_raw_data_signature(vector: dict[str, Any]) -> None:
    signature = crypto.raw_data_signature(vector["raw_data"], vector["session_key"])

    assert signature == vector["signature"]
    crypto.check_raw_data(
        vector["raw_data"], vector["signature"], session_key=vector["session_key"]
    )


@pytest.mark.parametrize("field", ["raw_data", "signature", "session_key"])
@pytest.mark.parametrize("vector", by_name(VECTORS["rawdata_signature_sha1"]))
def test_one_changed_character_breaks_the_raw_data_signature(
    vector: dict[str, Any], field: str
) -> None:
    text = vector[field]
    changed = {**vector, field: ("0" if text[0] != "0" else "1") + text[1:]}

    with pytest.raises(WechatDataInvalid):
        crypto.check_raw_data(
            changed["raw_data"], changed["signature"], session_key=changed["session_key"]
        )


@pytest.mark.parametrize("text", ["", "é", "\ud800", "\x00", "0" * 100_000], ids=repr)
def test_odd_signature_is_invalid(text: str) -> None:
    with pytest.raises(WechatDataInvalid):
        crypto.check_raw_data("{}", text, session_key=PHONE["session_key"])


def test_raw_data_with_half_a_surrogate_pair_is_signed_like_any_text() -> None:
    signature = crypto.raw_data_signature("\ud83d", PHONE["session_key"])

    crypto.check_raw_data("\ud83d", signature, session_key=PHONE["session_key"])


@pytest.mark.parametrize("vector", VECTORS["session_hmac_sha256"]["vectors"])
def test_session_signature(vector: dict[str, Any]) -> None:
    message = vector["message"].encode()

    assert crypto.session_signature(vector["session_key"], message) == vector["signature"]


def test_session_signature_uses_the_text_of_the_key() -> None:
    key = PHONE["session_key"]
    of_the_bytes = hmac.new(base64.b64decode(key), b"", hashlib.sha256).hexdigest()

    assert crypto.session_signature(key) != of_the_bytes


# Sealing

KEY = crypto.derive_key("first")
OTHER_KEY = crypto.derive_key("second")


def test_sealed_text_opens_with_its_key_and_context() -> None:
    sealed = crypto.seal(b"secret", key=KEY, context="name")

    assert crypto.unseal(sealed, keys=[KEY], context="name") == b"secret"
    assert b"secret" not in sealed


def test_empty_text_can_be_sealed() -> None:
    sealed = crypto.seal(b"", key=KEY, context="name")

    assert crypto.unseal(sealed, keys=[KEY], context="name") == b""


def test_retired_key_still_opens() -> None:
    sealed = crypto.seal(b"secret", key=OTHER_KEY, context="name")

    assert crypto.unseal(sealed, keys=[KEY, OTHER_KEY], context="name") == b"secret"


def test_key_that_is_gone_does_not_open() -> None:
    sealed = crypto.seal(b"secret", key=OTHER_KEY, context="name")

    assert crypto.unseal(sealed, keys=[KEY], context="name") is None
    assert crypto.unseal(sealed, keys=[], context="name") is None


def test_text_moved_to_another_context_does_not_open() -> None:
    sealed = crypto.seal(b"secret", key=KEY, context="one")

    assert crypto.unseal(sealed, keys=[KEY], context="two") is None


def test_one_flipped_byte_does_not_open() -> None:
    sealed = crypto.seal(b"secret", key=KEY, context="name")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        assert crypto.unseal(bytes(changed), keys=[KEY], context="name") is None


def test_cut_text_does_not_open() -> None:
    sealed = crypto.seal(b"secret", key=KEY, context="name")
    for length in range(len(sealed)):
        assert crypto.unseal(sealed[:length], keys=[KEY], context="name") is None


def test_two_seals_of_one_text_differ() -> None:
    assert crypto.seal(b"x", key=KEY, context="n") != crypto.seal(b"x", key=KEY, context="n")


def test_derived_key_is_32_bytes_and_not_the_secret() -> None:
    assert len(KEY) == 32
    assert KEY != OTHER_KEY
    # Whoever signs with the secret itself must not have made our key by it.
    assert hashlib.sha256(b"first").digest() != KEY


# Message push

PUSH_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
PUSH_APP = "wxb11529c136998cb6"
# WeChat's own example, in the Java sample code of its documentation.
PUSH_TEXT = "我是中文abcd123".encode()
PUSH_RANDOM = b"aaaabbbbccccdddd"
PUSH_ENCRYPTED = (
    "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg=="
)
# And the one in its Python sample code: token, timestamp, nonce, msg_signature, Encrypt.
PUSH_SIGNED = (
    "spamtest",
    "1409735669",
    "1320562132",
    "5d197aaffba7e9b25a30732f161a50dee96bd5fa",
    "hyzAe4OzmOMbd6TvGdIOO6uBmdJoD0Fk53REIHvxYtJlE2B655HuD0m8KUePWB3+LrPXo87wzQ1QLvbeUgmBM4x6F8PG"
    "HQHFVAFmOD2LdJF9FrXpbUAh0B5GIItb52sn896wVsMSHGuPE328HnRGBcrS7C41IzDWyWNlZkyyXwon8T332jisa+h6"
    "tEDYsVticbSnyU8dKOIbgU6ux5VTjg3yt+WGzjlpKn6NPhRjpA912xMezR4kw6KWwMrCVKSVCZciVGCgavjIQ6X8tCOp"
    "3yZbGpy0VxpAe+77TszTfRd5RJSVO/HTnifJpXgCSUdUue1v6h0EIBYYI1BD1DlD+C0CR8e6OewpusjZ4uBl9FyJvnhv"
    "Ql+q5rv1ixrcpCumEPo5MJSgM9ehVsNPfUM669WuMyVWQLCzpu9GhglF2PE=",
)


def seal_push(plain: bytes) -> str:
    """Return any padded bytes under the key, as nobody honest would make them."""
    key = base64.b64decode(PUSH_KEY + "=")
    return base64.b64encode(AES.new(key, AES.MODE_CBC, key[:16]).encrypt(plain)).decode()


def padded_push(plain: bytes) -> bytes:
    count = 32 - len(plain) % 32
    return plain + bytes([count]) * count


def test_push_of_the_documentation_is_made_and_opened() -> None:
    made = crypto.encrypt_push(PUSH_TEXT, aes_key=PUSH_KEY, app_id=PUSH_APP, random=PUSH_RANDOM)
    assert made == PUSH_ENCRYPTED
    opened = crypto.decrypt_push(PUSH_ENCRYPTED, aes_key=PUSH_KEY, app_id=PUSH_APP)
    assert opened == PUSH_TEXT


def test_signed_push_of_the_documentation_is_taken() -> None:
    token, timestamp, nonce, signature, encrypted = PUSH_SIGNED
    assert crypto.push_signature(token, timestamp, nonce, encrypted) == signature
    opened = crypto.decrypt_push(encrypted, aes_key=PUSH_KEY, app_id="wx2c2769f8efd9abc2")
    assert b"<Content><![CDATA[abcdteT]]></Content>" in opened


@pytest.mark.parametrize("field", range(5))
def test_one_changed_character_breaks_the_push_signature(field: int) -> None:
    parts = list(PUSH_SIGNED)
    parts[field] = ("b" if parts[field][0] != "b" else "c") + parts[field][1:]
    token, timestamp, nonce, signature, encrypted = parts
    with pytest.raises(WechatDataInvalid):
        crypto.check_push_signature(
            signature, token=token, timestamp=timestamp, nonce=nonce, encrypted=encrypted
        )


@pytest.mark.parametrize("size", [0, 1, 11, 12, 13, 31, 32, 33, 1000])
def test_push_of_any_size_comes_back(size: int) -> None:
    text = b"x" * size
    made = crypto.encrypt_push(text, aes_key=PUSH_KEY, app_id=PUSH_APP)
    assert crypto.decrypt_push(made, aes_key=PUSH_KEY, app_id=PUSH_APP) == text


HEAD = PUSH_RANDOM + (5).to_bytes(4) + b"hello"
BAD_PUSHES = {
    "not base64": "é",
    "a space for a plus": PUSH_ENCRYPTED.replace("+", " "),
    "empty": "",
    "cut off": PUSH_ENCRYPTED[:40],
    "another app": seal_push(padded_push(HEAD + b"wxanother")),
    "no app": seal_push(padded_push(HEAD)),
    "length beyond the end": seal_push(
        padded_push(PUSH_RANDOM + (2**32 - 1).to_bytes(4) + PUSH_APP.encode())
    ),
    "shorter than its head": seal_push(bytes([32]) * 32),
    "pad of 0": seal_push(HEAD + PUSH_APP.encode() + bytes(5)),
    "pad of 33": seal_push(HEAD + b"x" * 6 + bytes([33]) * 33),
    "uneven pad": seal_push(HEAD + PUSH_APP.encode() + b"\x01\x02\x03\x04\x05"),
}


@pytest.mark.parametrize("encrypted", BAD_PUSHES.values(), ids=BAD_PUSHES)
def test_bad_push_is_refused(encrypted: str) -> None:
    with pytest.raises(WechatDataInvalid):
        crypto.decrypt_push(encrypted, aes_key=PUSH_KEY, app_id=PUSH_APP)


def test_push_under_another_key_is_refused() -> None:
    with pytest.raises(WechatDataInvalid):
        crypto.decrypt_push(PUSH_ENCRYPTED, aes_key="k" * 43, app_id=PUSH_APP)
