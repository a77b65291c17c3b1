"""Phone numbers as these clients show and send them."""

CHINA = "+86"


def show_number(number: str) -> str:
    """Return ``13800138000`` for ``+8613800138000``; numbers of other countries as they are."""
    return number.removeprefix(CHINA)
