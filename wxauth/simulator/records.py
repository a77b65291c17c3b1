"""What the simulator was asked: for tests to look at, in memory only, never in a log."""

import json
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

KEPT = 10_000  # calls; the counters go on


@dataclass
class Call:
    """One request to WeChat's API, recorded before it was processed."""

    path: str
    method: str
    connection_id: int
    address: str
    at: float  # Unix seconds of the simulator's clock
    query: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    errcode: int | None = None  # of the answer; 0 for a success, None when there was none

    def json(self) -> Any:
        """Return what the body holds."""
        return json.loads(self.body)


class Records:
    """The last calls, and counts of all of them."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=KEPT)
        self._counts: Counter[str] = Counter()
        self._connections: set[int] = set()

    def add(self, call: Call) -> None:
        """Record a call."""
        self._calls.append(call)
        self._counts[call.path] += 1
        self._connections.add(call.connection_id)

    def clear(self) -> None:
        """Forget all calls. A connection counts again with its next call."""
        self._calls.clear()
        self._counts.clear()
        self._connections.clear()

    @property
    def calls(self) -> list[Call]:
        """The last 10 000 calls, oldest first."""
        return list(self._calls)

    @property
    def counts(self) -> dict[str, int]:
        """The number of calls per path."""
        return dict(self._counts)

    @property
    def connections(self) -> int:
        """The number of TCP connections on which a call has come in."""
        return len(self._connections)
