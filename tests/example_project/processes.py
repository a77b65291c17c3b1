"""Starting the example as its users do: in processes of its own, by the environment alone."""

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60  # seconds that a process may take to be there
END = 20  # seconds that it may take to end
OURS = [
    "DEBUG",
    "SECRET_KEY",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "DATABASE_URL",
    "REDIS_URL",
    "REDIS_KEY_PREFIX",
    "BEHIND_HTTPS_PROXY",
    "NUM_PROXIES",
    "VAR_DIR",
    "DJANGO_SETTINGS_MODULE",
]


@dataclass(frozen=True)
class Demo:
    """A running ``manage.py demo``, and what its banner says."""

    process: subprocess.Popen[str]
    banner: str

    @property
    def url(self) -> str:
        """Where the page is, without a slash at its end."""
        return self._find(r"Page +(http://[\d.:]+)/\n")

    @property
    def simulator(self) -> str:
        """Where the simulator is."""
        return self._find(r"WeChat +(http://[\d.:]+) ")

    @property
    def password(self) -> str:
        """The admin's."""
        return self._find(r"password (\S+)\n")

    def _find(self, pattern: str) -> str:
        match = re.search(pattern, self.banner)
        assert match, f"no {pattern!r} in {self.banner}"
        return match[1]


def clean_environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without anything that the example reads, and these."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in OURS and not name.startswith("WXAUTH_")
    }
    return {**kept, "PYTHONUNBUFFERED": "1", **variables}


@contextmanager
def started(*arguments: str, ready: str, **variables: str) -> Iterator[Demo]:
    """Run Python with these arguments; yield it when a line of its output has ``ready`` in it."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=clean_environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Demo(process, read_until(process, ready))
    finally:
        process.terminate()
        try:
            process.communicate(timeout=END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@contextmanager
def started_demo(directory: Path, *arguments: str, **variables: str) -> Iterator[Demo]:
    """Run the demo on free ports, with a database of its own."""
    ports = ("--port", "0", "--simulator-port", "0")
    with started(
        "manage.py",
        "demo",
        *ports,
        *arguments,
        ready="ends it",
        VAR_DIR=str(directory),
        **variables,
    ) as demo:
        yield demo


def read_until(process: subprocess.Popen[str], ready: str) -> str:
    """Return what the process writes until a line has ``ready`` in it."""
    assert process.stdout is not None
    text, end = b"", time.monotonic() + PATIENCE
    while ready.encode() not in text:
        # The descriptor, and not the buffered file: select cannot see what a buffer holds.
        readable, _, _ = select.select([process.stdout], [], [], max(end - time.monotonic(), 0))
        chunk = os.read(process.stdout.fileno(), 65536) if readable else b""
        if not chunk:
            raise AssertionError(f"it did not get as far as {ready!r}:\n{text.decode()}")
        text += chunk
    return text.decode()


def skip_without(name: str, reason: str) -> NoReturn:
    """Skip the test for want of what is named; fail where everything has to be there."""
    if os.environ.get("WXAUTH_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{name} is required: {reason}")
    pytest.skip(f"{name}: {reason}")
