"""How invite codes are written."""

import re

import pytest

from wxauth import invite_codes

pytestmark = pytest.mark.static


def test_codes_are_short_begin_with_a_letter_and_differ():
    codes = {invite_codes.make() for _ in range(2000)}

    assert len(codes) == 2000
    assert not [code for code in codes if not re.fullmatch(r"[A-Z][A-Z2-9]{7}", code)]
    assert not set("".join(codes)) & set("AEILOU01")


def test_code_is_read_in_any_case_and_with_spaces_around():
    assert invite_codes.read(" bcdf2345\n") == "BCDF2345"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12345678",
        "2CDF2345",
        "BCDF234",
        "BCDF23456",
        "BCDF 234",
        "BCDE2345",
        "BCDF2340",
        "ＢCDF2345",
        "BCDF2345\x00",
        "0b6f4a1e-1111-4222-8333-944445555666",
    ],
)
def test_what_is_no_code_is_none(text):
    assert invite_codes.read(text) is None
