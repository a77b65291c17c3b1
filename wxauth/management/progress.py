"""How far a long command is: a line that is written over, on a terminal only."""

import time
from typing import Any

WIDTH = 30  # characters
EVERY = 0.1  # seconds between two drawings


class Progress:
    """``with Progress(self.stderr, total=n) as progress: progress.add(1)``."""

    def __init__(self, stream: Any, *, total: int) -> None:
        self._stream = stream
        self._total = total
        self._done = 0
        self._drawn_at = 0.0
        self._shows = total > 0 and bool(getattr(stream, "isatty", lambda: False)())

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self._shows:
            self._draw()
            self._stream.write("\n", ending="")

    def add(self, count: int) -> None:
        """Say that ``count`` more are done."""
        self._done += count
        if self._shows and time.monotonic() - self._drawn_at >= EVERY:
            self._draw()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        share = min(self._done / self._total, 1.0)
        bar = "#" * int(share * WIDTH)
        line = f"\r[{bar:<{WIDTH}}] {share:4.0%} {self._done} of {self._total}"
        self._stream.write(line, ending="")
        self._stream.flush()
