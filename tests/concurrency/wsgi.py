"""
The example project, with the number of the worker process in each answer.

The server ends with the tests that have started it, also when these are killed: its standard input
is a pipe from them.
"""

import os
import signal
import threading
from collections.abc import Iterable
from typing import Any

from example_project.wsgi import application as project
from tests.concurrency.server import WHO, WORKER


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer ``/worker`` here and all else by the project."""
    worker = (WORKER, str(os.getpid()))

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        return start_response(status, [*headers, worker], exc_info)

    if environ["PATH_INFO"] == WHO:
        start("204 No Content", [])
        return [b""]
    return project(environ, start)


def _end_with_the_tests() -> None:
    os.read(0, 1)  # returns when the other end is closed
    if os.getppid() == master:
        os.kill(master, signal.SIGTERM)


master = os.getppid()
threading.Thread(target=_end_with_the_tests, daemon=True).start()
