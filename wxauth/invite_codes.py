"""How an invite code is written: eight characters that nobody takes for others, or for a key."""

import re
import secrets

LENGTH = 8
# Neither I, L, O and U, which are read as 1, 1, 0 and V, nor A and E: no code spells a word.
LETTERS = "BCDFGHJKMNPQRSTVWXYZ"
DIGITS = "23456789"

_CODE = re.compile(f"[{LETTERS}][{LETTERS}{DIGITS}]{{{LENGTH - 1}}}")


def make() -> str:
    """
    Return a new code, one of 2.7e11.

    It begins with a letter, so that no number is a code; and a UUID is four times as long.
    """
    rest = (secrets.choice(LETTERS + DIGITS) for _ in range(LENGTH - 1))
    return secrets.choice(LETTERS) + "".join(rest)


def read(text: str) -> str | None:
    """Return the code as it is stored; None when no code is written like this."""
    code = text.strip().upper()
    return code if _CODE.fullmatch(code) else None
