"""The npm package ``apifm-wxapi`` in Node, driven from here, and where its versions are kept."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NODE_SIDE = Path(__file__).parent / "node" / "phone.js"
# The oldest that there is, two that many shops have pinned, and whatever is new today.
VERSIONS = {
    "2.6.0": "2.6.0",
    "3.68.1": "3.68.1",
    "24.12.19": "24.12.19",
    "newest": "latest",
}
PATIENCE = 120  # seconds


def install(folder: Path) -> str | None:
    """Install all versions side by side, unless they are there; return why that is impossible."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return "Node or npm is not installed"
    if (folder / "node_modules" / "newest").exists():
        return None
    (folder / "package.json").write_text('{"private": true}')
    packages = [f"{name}@npm:apifm-wxapi@{version}" for name, version in aliases().items()]
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    return None if done.returncode == 0 else f"npm says: {done.stderr.strip()[-300:]}"


def aliases() -> dict[str, str]:
    return {alias(name): version for name, version in VERSIONS.items()}


def alias(name: str) -> str:
    return name if name == "newest" else f"v{name.replace('.', '-')}"


class Client:
    """One loaded version of the package."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.sent: list[str] = []

    def at_once(self, *calls: tuple[Any, ...]) -> list[Any]:
        """Make calls, each a name and its arguments, at the same time; return their answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"calls": [{"name": name, "args": args} for name, *args in calls]}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "Node has gone"
        told = json.loads(line)
        self.sent = told["sent"]
        return told["answers"]

    def __call__(self, name: str, *args: Any) -> Any:
        """Make one call and return its answer."""
        return self.at_once((name, *args))[0]


@contextmanager
def loaded(package: Path, script: Path | None = None) -> Iterator[Client]:
    """Run Node with this package, after a script of the app's."""
    command = [str(shutil.which("node")), str(NODE_SIDE), str(package)]
    with subprocess.Popen(
        [*command, *([str(script)] if script else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Client(process)
        finally:
            process.kill()
