"""The sockets: HTTP/1.1 with keep-alive, one thread per connection, patient with rubbish."""

import contextlib
import logging
import re
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from wxauth.simulator.replies import Reply
from wxauth.simulator.routing import Request

BODY_LIMIT = 1 << 20  # bytes
FIELD_LIMIT = 100  # parameters of a query
IDLE = 75  # seconds that a kept connection may be silent
HOLD = 120  # seconds that an answer is withheld at most
HOST = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(;[^\r\n]*)?\r\n")
JOIN = 5  # seconds to wait for a thread at the end

logger = logging.getLogger("wxauth.simulator")

Answer = Callable[[Request, int, str], Reply]  # request, connection id, Origin


class BadRequest(Exception):
    """The request cannot be read: answer with this HTTP status and close."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(str(status))


class SimulatorServer(ThreadingHTTPServer):
    """A server that knows its connections, so that it can stop while they are kept alive."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_port = False

    def __init__(self, address: tuple[str, int], answer: Answer) -> None:
        self.answer = answer
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._last_id = 0
        self._open: dict[int, tuple[socket.socket, threading.Thread]] = {}
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Bind without http.server's look-up of the host's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    @property
    def base_url(self) -> str:
        """Where it answers, without a trailing slash."""
        host, port = self.server_name, self.server_port
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def opened(self, connection: socket.socket) -> int:
        """Remember a connection and return its id; called in the thread that serves it."""
        with self._lock:
            self._last_id += 1
            self._open[self._last_id] = (connection, threading.current_thread())
            connection_id = self._last_id
        if self.stopping.is_set():
            self._shut(connection)
        return connection_id

    def closed(self, connection_id: int) -> None:
        """Forget a connection."""
        with self._lock:
            self._open.pop(connection_id, None)

    def close_connections(self) -> list[threading.Thread]:
        """Close every open connection; return the threads that served them, which are ending."""
        with self._lock:
            connections = list(self._open.values())
        for connection, _ in connections:
            self._shut(connection)
        return [thread for _, thread in connections]

    def stop(self) -> None:
        """Stop accepting, close what is open and wait for the threads."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for thread in self.close_connections():
            thread.join(JOIN)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log faults of our own; a client that goes away is none."""
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            logger.error("the simulator failed", exc_info=error)

    @staticmethod
    def _shut(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it was closed already
            connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    """Reads requests and sends replies; what to reply is not known here."""

    protocol_version = "HTTP/1.1"
    server_version = "wxauth-simulator"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = IDLE
    server: SimulatorServer

    def setup(self) -> None:
        """Register the connection."""
        super().setup()
        self.connection_id = self.server.opened(self.connection)

    def finish(self) -> None:
        """Unregister the connection."""
        try:
            super().finish()
        finally:
            self.server.closed(self.connection_id)

    def handle_any(self) -> None:
        """Read one request, have it answered, and send the reply."""
        try:
            request = self._read_request()
        except BadRequest as error:
            self.send_error(error.status)
            return
        reply = self.server.answer(request, self.connection_id, self.headers.get("Origin", ""))
        logger.debug("%s %s", request.method, request.path)  # no query: it holds secrets
        if reply.delay:
            self.server.stopping.wait(reply.delay)
        if reply.holds:
            self._wait_for_end()
        elif reply.resets:
            self._reset()
        else:
            self._send(reply)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no HTTP; always with a head, which http.server leaves out at times."""
        self.close_connection = True
        self.command = self.command or ""
        self._send(Reply(code, "text/plain"))

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: http.server's messages quote the request line, with the secret in it."""

    def _read_request(self) -> Request:
        body = self._read_body()
        try:
            url = urlsplit(self.path)
            pairs = parse_qsl(url.query, keep_blank_values=True, max_num_fields=FIELD_LIMIT)
        except ValueError:
            raise BadRequest(400) from None
        query: dict[str, str] = {}
        for name, value in pairs:
            query.setdefault(name, value)
        address = str(self.client_address[0])
        return Request(
            self.command, url.path, query, body, address, self._base_url(), raw_query=url.query
        )

    def _base_url(self) -> str:
        """Return the simulator's address as the client knows it: by name, or through a tunnel."""
        host = self.headers.get("Host", "").strip()
        if HOST.fullmatch(host):
            return f"http://{host}"
        return self.server.base_url

    def _read_body(self) -> bytes:
        lengths = set(self.headers.get_all("Content-Length", []))
        encodings = self.headers.get_all("Transfer-Encoding", [])
        if encodings:
            if lengths or [value.strip().lower() for value in encodings] != ["chunked"]:
                raise BadRequest(400)
            return self._read_chunks()
        if not lengths:
            return b""
        text = lengths.pop().strip()
        if lengths or not re.fullmatch(r"[0-9]{1,15}", text):
            raise BadRequest(400)
        if int(text) > BODY_LIMIT:
            raise BadRequest(413)
        return self._read_exactly(int(text))

    def _read_chunks(self) -> bytes:
        body = b""
        while size := self._read_chunk_size():
            if len(body) + size > BODY_LIMIT:
                raise BadRequest(413)
            body += self._read_exactly(size)
            if self._read_exactly(2) != b"\r\n":
                raise BadRequest(400)
        for _ in range(FIELD_LIMIT):  # trailers
            if self.rfile.readline(BODY_LIMIT) in (b"\r\n", b"\n", b""):
                return body
        raise BadRequest(400)

    def _read_chunk_size(self) -> int:
        match = CHUNK_SIZE.fullmatch(self.rfile.readline(1024))
        if match is None:
            raise BadRequest(400)
        return int(match[1], 16)

    def _read_exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionError("the client went away in the middle of a body")
        return data

    def _send(self, reply: Reply) -> None:
        length = len(reply.body) if reply.content_length is None else reply.content_length
        if length != len(reply.body):
            self.close_connection = True
        lines = [
            f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
            f"Date: {self.date_time_string()}",
            f"Content-Type: {reply.content_type}",
            f"Content-Length: {length}",
            f"Connection: {'close' if self.close_connection else 'keep-alive'}",
            *(f"{name}: {value}" for name, value in reply.headers),
        ]
        body = b"" if self.command == "HEAD" else reply.body
        # One write for head and body: one packet.
        self.wfile.write("\r\n".join([*lines, "\r\n"]).encode("latin-1") + body)

    def _wait_for_end(self) -> None:
        """Wait until the client has gone away, or the server has been stopped."""
        self.close_connection = True
        self.connection.settimeout(HOLD)
        with contextlib.suppress(OSError):
            self.connection.recv(1, socket.MSG_PEEK)

    def _reset(self) -> None:
        """Close with RST instead of FIN: the client sees "connection reset by peer"."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.rfile.close()  # else the socket stays open until the reader is closed
        self.connection.close()
