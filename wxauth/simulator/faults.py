"""Faults that tests order: the next calls of a path fail as WeChat, or the network, can fail."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from wxauth.simulator.errors import ERRMSG, ApiError, SimulatorError
from wxauth.simulator.quirks import Quirk


class TransportFault(StrEnum):
    """What happens to the connection or the body. The request is not processed but where said."""

    TIMEOUT = "timeout"  # no answer, until the client gives up
    RESET = "reset"
    HTML502 = "html502"
    EMPTY = "empty"  # 200 and no body
    JSON_ARRAY = "json_array"  # JSON, but no object
    INVALID_UTF8 = "invalid_utf8"
    READ_TIMEOUT_AFTER_PROCESSING = "read_timeout_after_processing"
    RESET_AFTER_PROCESSING = "reset_after_processing"
    TRUNCATED = "truncated"  # processed; the body ends in the middle of the JSON
    INCOMPLETE = "incomplete"  # processed; the body is shorter than its Content-Length


PROCESSED = frozenset(
    {
        TransportFault.READ_TIMEOUT_AFTER_PROCESSING,
        TransportFault.RESET_AFTER_PROCESSING,
        TransportFault.TRUNCATED,
        TransportFault.INCOMPLETE,
    }
)
FOREVER = -1


@dataclass(frozen=True, slots=True)
class Fault:
    """What one call suffers: at most one of the first three, after a delay in seconds."""

    error: ApiError | None = None
    transport: TransportFault | None = None
    quirk: Quirk | None = None
    delay: float = 0.0

    @property
    def is_processed(self) -> bool:
        """Whether WeChat does what it was asked, so that a code is spent."""
        return self.error is None and (self.transport is None or self.transport in PROCESSED)


NO_FAULT = Fault()


def make_fault(
    *,
    errcode: int | None = None,
    errmsg: str | None = None,
    fault: str | None = None,
    delay: float = 0.0,
) -> Fault:
    """Return the fault, or raise ``SimulatorError`` when there is no such thing."""
    if errcode is not None and fault is not None:
        raise SimulatorError("a call fails by errcode or by fault, not by both")
    if errmsg is not None and errcode is None:
        raise SimulatorError("errmsg needs an errcode")
    if not 0 <= delay <= 600:
        raise SimulatorError("delay is between 0 and 600 seconds")
    if errcode is not None:
        return Fault(error=ApiError(errcode, errmsg or ERRMSG.get(errcode)), delay=delay)
    if fault is None:
        return Fault(delay=delay)
    if fault in list(TransportFault):
        return Fault(transport=TransportFault(fault), delay=delay)
    if fault in list(Quirk):
        return Fault(quirk=Quirk(fault), delay=delay)
    known = ", ".join([*TransportFault, *Quirk])
    raise SimulatorError(f"no fault {fault!r}; there are: {known}")


class FaultQueue:
    """The faults in waiting, first come first served per path."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[tuple[Fault, int]]] = {}

    def add(self, path: str, fault: Fault, *, times: int | None) -> None:
        """Let the next ``times`` calls of ``path`` suffer, or all of them until ``clear``."""
        if times is not None and times < 1:
            raise SimulatorError("times is at least 1, or None for ever")
        self._queues.setdefault(path, deque()).append((fault, times or FOREVER))

    def take(self, path: str) -> Fault:
        """Return what the call that has just come in suffers."""
        queue = self._queues.get(path)
        if not queue:
            return NO_FAULT
        fault, left = queue.popleft()
        if left == FOREVER or left > 1:
            queue.appendleft((fault, left if left == FOREVER else left - 1))
        return fault

    def clear(self) -> None:
        """Let everything work again."""
        self._queues.clear()
