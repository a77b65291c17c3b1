"""An endpoint on this machine that plays the provider."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.wechat.raw_server import RawServer, serve


@pytest.fixture
def provider() -> Iterator[Callable[..., RawServer]]:
    """Return a function that starts a server with these answers."""
    with ExitStack() as stack:
        yield lambda *answers: stack.enter_context(serve(*answers))


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
