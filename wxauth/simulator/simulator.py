"""The object that tests and the command hold: the world, its controls and a running server."""

import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from wxauth.simulator.controls import Controls
from wxauth.simulator.errors import SimulatorError
from wxauth.simulator.loopback import is_loopback
from wxauth.simulator.replies import Reply, reply_to
from wxauth.simulator.routing import Request
from wxauth.simulator.server import SimulatorServer
from wxauth.simulator.world import SimulatedApp

POLL = 0.02  # seconds until the accepting thread notices that it is to stop


class WechatSimulator(Controls):
    """
    WeChat on this machine. ``with WechatSimulator(apps=[…]) as sim:`` runs it.

    ``port`` 0 takes a free one. ``clock`` gives Unix seconds, to which ``advance`` adds.
    A ``host`` that other machines can reach is refused with ``SimulatorError`` unless
    ``allow_non_loopback``: whoever reaches the simulator can sign in as anybody.
    """

    def __init__(
        self,
        apps: Iterable[SimulatedApp] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        allow_non_loopback: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(apps, clock=clock)
        if not allow_non_loopback and not is_loopback(host):
            raise SimulatorError(f"{host} is no loopback address")
        self._address = (host, port)
        self._server: SimulatorServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen and serve in a thread. Raise ``OSError`` when the port is taken."""
        if self._server is not None:
            raise SimulatorError("the simulator runs already")
        self._server = SimulatorServer(self._address, self._reply)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": POLL},
            name="wxauth-simulator",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and close all connections; a second call does nothing."""
        server, self._server = self._server, None
        if server is not None and self._thread is not None:
            server.stop()
            self._thread.join()

    def close_connections(self) -> None:
        """Drop the connections that clients keep: their next request on one fails."""
        self._running().close_connections()

    @property
    def base_url(self) -> str:
        """Where it answers, without a trailing slash: the value for ``WXAUTH_API_BASE_URL``."""
        return self._running().base_url

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _running(self) -> SimulatorServer:
        if self._server is None:
            raise SimulatorError("the simulator does not run")
        return self._server

    def _reply(self, request: Request, connection_id: int, origin: str) -> Reply:
        return reply_to(self, request, connection_id=connection_id, origin=origin)
