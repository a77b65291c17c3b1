"""A deployment in small: gunicorn with worker processes and threads, and a crowd at its door."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tests.example_project.processes import PATIENCE, ROOT, clean_environment

T = TypeVar("T")

WORKER = "X-Worker"  # the header with the number of the worker process
WHO = "/worker"  # asks for nothing but that header
BACKLOG = 256  # connections that wait while the server starts
KEEP_ALIVE = 60  # seconds


@dataclass(frozen=True)
class Ask:
    """One request: the body of a route below ``/api/``, and whose access token it carries."""

    route: str
    body: dict[str, Any] = field(default_factory=dict)
    access: str | None = None
    method: str = "POST"


@dataclass(frozen=True)
class Answer:
    """What came back, and from which worker process."""

    status: int
    body: Any
    worker: int


class Line:
    """One connection that is kept: all its requests go to one and the same worker."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._connection.connect()
        # Head and body go out in two packets; the second must not wait for anything.
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.worker = self._send("GET", WHO, None, {}).worker
        except BaseException:
            self.close()
            raise

    def ask(self, ask: Ask) -> Answer:
        """Send one request and wait for the answer; raise when the worker dies under it."""
        headers = {"Content-Type": "application/json"}
        if ask.access:
            headers["Authorization"] = f"Bearer {ask.access}"
        content = json.dumps(ask.body).encode() if ask.method == "POST" else None
        return self._send(ask.method, f"/api/{ask.route}", content, headers)

    def close(self) -> None:
        self._connection.close()

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        self._connection.request(method, path, body=body, headers=headers)
        response = self._connection.getresponse()
        content = response.read()
        try:
            parsed = json.loads(content) if content else None
        except ValueError:
            parsed = content.decode("utf-8", "replace")
        return Answer(response.status, parsed, int(response.headers[WORKER]))


@dataclass
class Server:
    """A running gunicorn."""

    port: int
    workers: int
    process: subprocess.Popen[bytes]
    log_path: Path = field(repr=False)

    @property
    def log(self) -> str:
        """All that the server has written so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    @contextmanager
    def lines(self, count: int) -> Iterator[list[Line]]:
        """
        Open this many connections, the same number to each worker.

        The kernel hands a connection to whichever worker is awake, so one that would be too many
        for its worker is hung up again.
        """
        share = count // self.workers
        by_worker: dict[int, list[Line]] = defaultdict(list)
        end = time.monotonic() + PATIENCE
        try:
            while sum(map(len, by_worker.values())) < share * self.workers:
                try:
                    line = Line(self.port)
                except (OSError, http.client.HTTPException):  # a worker dies, or gunicorn is gone
                    self._check(end)
                    continue
                self._check(end)
                lines = by_worker[line.worker]
                if len(lines) < share:
                    lines.append(line)
                else:
                    line.close()
            # In turns, so that neighbours in a list of requests meet different workers.
            yield [line for turn in zip(*by_worker.values(), strict=True) for line in turn]
        finally:
            for lines in by_worker.values():
                for line in lines:
                    line.close()

    def at_once(
        self, asks: Sequence[Ask], *, start: Callable[[], None] | None = None
    ) -> list[Answer]:
        """Send all requests in the same moment, spread over the workers; answers in their order."""
        with self.lines(len(asks)) as lines:
            calls = [partial(Line.ask, *each) for each in zip(lines, asks, strict=True)]
            return at_once(calls, start=start)

    def ask(self, route: str, body: dict[str, Any] | None = None, *, access: str = "") -> Answer:
        """Send one request to any worker."""
        line = Line(self.port)
        try:
            return line.ask(Ask(route, body or {}, access))
        finally:
            line.close()

    def _check(self, end: float) -> None:
        if self.process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"the server is not there:\n{self.log}")


def at_once(
    calls: Sequence[Callable[[], T]], *, start: Callable[[], None] | None = None
) -> list[T]:
    """
    Make all calls in the same moment, each in a thread; return their results in order.

    All wait for each other, and then for ``start``.
    """
    barrier = threading.Barrier(len(calls), start)

    def make(call: Callable[[], T]) -> T:
        barrier.wait(PATIENCE)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(make, calls))


@contextmanager
def serving(
    *, workers: int, threads: int, application: str = "tests.concurrency.wsgi", **variables: str
) -> Iterator[Server]:
    """Run gunicorn with these environment variables; it is gone when the block is left."""
    with tempfile.NamedTemporaryFile(prefix="wxauth-server-", suffix=".log") as log:
        with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
            port = listener.getsockname()[1]
            command = [sys.executable, "-m", "gunicorn", application, "--worker-class", "gthread"]
            command += ["--workers", str(workers), "--threads", str(threads)]
            command += ["--keep-alive", str(KEEP_ALIVE), "--graceful-timeout", "5"]
            command += ["--bind", f"fd://{listener.fileno()}"]
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=clean_environment(**variables),
                pass_fds=[listener.fileno()],
                start_new_session=True,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        server = Server(port, workers, process, Path(log.name))
        try:
            with server.lines(workers):
                yield server
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
