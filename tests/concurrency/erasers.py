"""What ``WXAUTH_ERASE_USER`` names in a process that is about to be killed."""

import sys
from typing import Any


def wait_to_be_killed(user: Any) -> None:
    """Delete the user, say so, and never come to the commit."""
    user.delete()
    print("in the middle", flush=True)  # noqa: T201  # the tests read it
    sys.stdin.read()  # the tests keep it open
