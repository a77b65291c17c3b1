"""The root of all errors, and how their sentences are marked."""

from collections.abc import Mapping
from typing import Any, ClassVar


def gettext_noop(message: str) -> str:
    """Mark a sentence for translation. Django's own would make this module depend on Django."""
    return message


class WxauthError(Exception):
    """The root: catch it to catch all of them."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    detail: ClassVar[str] = gettext_noop("Something went wrong.")
    action: ClassVar[str] = "stop"

    def __init__(
        self,
        *,
        reason: str = "",
        errcode: int | None = None,
        rid: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Take WeChat's ``errcode`` and ``rid`` where it spoke, and ``retry_after`` in seconds."""
        self.reason = reason
        self.errcode = errcode
        self.rid = rid
        self.retry_after = retry_after
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [self.code]
        if self.reason:
            parts.append(self.reason)
        if self.errcode is not None:
            parts.append(f"errcode {self.errcode}")
        if self.rid:
            parts.append(f"rid {self.rid}")
        return ", ".join(parts)

    def extra(self) -> Mapping[str, Any]:
        """Return what the error body holds beside the common keys."""
        return {}
