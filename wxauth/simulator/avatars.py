"""The pictures of the simulated people: drawn from a hash, at addresses that end with a change."""

import hashlib
import struct
import zlib
from collections import Counter

PREFIX = "/mmopen/vi_32/"
SIZES = {"0": 640, "46": 46, "64": 64, "96": 96, "132": 132}  # pixels
USUAL = "132"
CELLS = 5  # per side


class Avatars:
    """Who has which picture. An address is known from the moment it is told to somebody."""

    def __init__(self) -> None:
        self._changes: Counter[str] = Counter()
        self._current: dict[str, str] = {}

    def path(self, name: str) -> str:
        """Return the path of the person's picture, 132 pixels wide."""
        token = self._current.setdefault(name, self._token(name))
        return f"{PREFIX}{token}/{USUAL}"

    def change(self, name: str) -> None:
        """Give the person another picture; the old address is dead."""
        self._changes[name] += 1
        self._current[name] = self._token(name)

    def picture(self, path: str) -> bytes | None:
        """Return the PNG at this path; None: there is none, or no longer."""
        token, _, size = path.removeprefix(PREFIX).partition("/")
        if size not in SIZES or token not in self._current.values():
            return None
        return draw(token, SIZES[size])

    def _token(self, name: str) -> str:
        text = f"avatar {self._changes[name]} {name}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def draw(token: str, size: int) -> bytes:
    """Return a PNG of ``size`` by ``size`` pixels: cells in two colours, the halves mirrored."""
    digest = hashlib.sha256(token.encode()).digest()
    half = (CELLS + 1) // 2
    rows = bytearray()
    for y in range(size):
        cells = [digest[y * CELLS // size * half + x] & 1 for x in range(half)]
        cells += cells[-2::-1]
        rows += b"\0" + bytes(cells[x * CELLS // size] for x in range(size))
    palette = b"\xf0\xf1\xf3" + bytes(40 + byte * 3 // 5 for byte in digest[-3:])
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", palette),
            _chunk(b"IDAT", zlib.compress(bytes(rows), 9)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
