"""Reading what was pushed: XML and JSON as WeChat writes them, and as nobody should."""

import time

import pytest

from wxauth.exceptions import WechatDataInvalid
from wxauth.push.messages import MAX_BODY, read_message

pytestmark = pytest.mark.static

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE xml [<!ENTITY a "ha">'
    + b"".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">'.encode() for i in range(12))
    + b"]><xml><Event>&m;</Event></xml>"
)
XXE = b'<!DOCTYPE xml [<!ENTITY f SYSTEM "file:///etc/passwd">]><xml><Event>&f;</Event></xml>'


def test_xml_is_read() -> None:
    body = b"<xml>\n<Event><![CDATA[a <b> & c]]></Event><CreateTime>12</CreateTime></xml>"
    assert read_message(body) == {"Event": "a <b> & c", "CreateTime": "12"}


def test_names_and_values_with_leading_spaces_are_stripped() -> None:
    assert read_message(b'{" OpenID": " o1", "CreateTime": 12}') == {
        "OpenID": "o1",
        "CreateTime": "12",
    }
    assert read_message(b"<xml>< OpenPID><![CDATA[ o1]]></OpenPID></xml>") == {"OpenPID": "o1"}


def test_nested_fields_are_left_out() -> None:
    assert read_message(b"<xml><A><B>1</B></A><C>2</C></xml>") == {"C": "2"}
    assert read_message(b'{"A": {"B": 1}, "C": "2", "D": null}') == {"C": "2"}


@pytest.mark.parametrize("body", [BOMB, XXE], ids=["billion laughs", "external entity"])
def test_entities_are_harmless(body: bytes) -> None:
    began = time.perf_counter()
    with pytest.raises(WechatDataInvalid):
        read_message(body)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"hello",
        b"[]",
        b'"text"',
        b"null",
        b"NaN",
        b'{"a": Infinity}',
        b'{"a": "1", "a": "2"}',
        b'{" a": "1", "a": "2"}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 20000,
        b'{"a":' * 20000,
        b"\xff\xfe",
        b'{"a": "\xff"}',
        b"<xml>",
        b"<xml></yml>",
        b"<xml><A>1</A><A>2</A></xml>",
        b"<xml>&unknown;</xml>",
        b"<xml><A>\x00</A></xml>",
        b"<!DOCTYPE xml><xml></xml>",
        b'<!DOCTYPE xml SYSTEM "http://127.0.0.1:1/x.dtd"><xml></xml>',
        b"<a>" * 3000,
        b"<xml>" + b"<a/>" * 3000 + b"</xml>",
        b'<?xml version="1.0" encoding="nobody-has-it"?><xml/>',
        b"\xff\xfe<\x00x\x00",
    ],
    ids=lambda body: repr(body[:30]),
)
def test_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(WechatDataInvalid):
        read_message(body)


def test_long_text_is_read_in_time() -> None:
    began = time.perf_counter()
    read_message(b"<xml><A>" + b"x" * MAX_BODY + b"</A></xml>")
    assert time.perf_counter() - began < 1
