"""
A server that answers what it is told, byte for byte, for what the simulator cannot be made to say.

It speaks HTTP/1.1 with kept connections over a real socket, plain or TLS.
"""

import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def http(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """Return a whole HTTP answer with the right length. ``headers`` are lines ending in CRLF."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


class RawServer(socketserver.ThreadingTCPServer):
    """Answers the n-th request with ``answers[n]``, and all later ones with the last of them."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, *answers: bytes, tls: ssl.SSLContext | None = None) -> None:
        self.answers = answers
        self.tls = tls
        self.requests: list[bytes] = []  # heads and bodies as they came
        self.connections = 0
        self.released = threading.Event()  # lets requests go that are held without an answer
        self.on_request: Callable[[], object] = lambda: None  # what happens before an answer
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def base_url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in the middle is what some tests want."""

    def next_answer(self, request: bytes) -> bytes:
        self.on_request()
        with self._lock:
            self.requests.append(request)
            return self.answers[min(len(self.requests), len(self.answers)) - 1]


class _Handler(socketserver.StreamRequestHandler):
    server: RawServer

    def setup(self) -> None:
        self.server.connections += 1
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        while request := self._read():
            answer = self.server.next_answer(request)
            if answer == HANG:
                self.server.released.wait(30)
                return
            self.wfile.write(answer)
            if not answer or b"Content-Length" not in answer or b"Connection: close" in answer:
                return

    def finish(self) -> None:
        super().finish()
        self.request.close()  # the server only knows what TLS was put around

    def _read(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return b""
            head += line
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return head + self.rfile.read(length)


HANG = b"never answers"


@contextmanager
def serve(*answers: bytes, tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    """Run a server for the time of the block. Without an answer, ``b""``, it hangs up."""
    with RawServer(*answers, tls=tls) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()
