"""
A new project, made by the steps of the README to the letter.

The blocks are taken out of the documents, not typed again. Only three things are not as a reader
has them: the ports, since several runs share a machine; the path of the checkout, which is a copy;
and pip finds the dependencies where these tests have them, so that nothing is downloaded.
"""

import os
import select
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.documents import ROOT, block

README = "README.md"
INTEGRATION = "docs/integration.md"
APP_ID = "wx0123456789abcdef"
PATIENCE = 120  # seconds that a step may take

# What a reader adds to reach the views of the README's examples.
OWN_ADDRESSES = """
from shop import views

urlpatterns += [
    path("basket", views.basket),
    path("orders", views.orders),
    path("sign-in", views.sign_in),
]
"""

OWN_APP = 'INSTALLED_APPS += ["shop"]  # so that Django finds its admin.py'


@dataclass(frozen=True)
class Project:
    """The project's folder, its Python, and where its two servers answer."""

    folder: Path
    python: Path
    environment: dict[str, str]
    site: str
    wechat: str

    def run(self, *arguments: str, **variables: str) -> str:
        """Run the project's Python and return what it prints; it must succeed."""
        return run_step(
            [str(self.python), *arguments],
            cwd=self.folder,
            env={**self.environment, "WXAUTH_API_BASE_URL": self.wechat, **variables},
        )

    def code(self, user: str) -> str:
        """Return what ``wx.login`` gives this person."""
        answer = requests.get(
            f"{self.wechat}/_sim/login", params={"user": user, "appid": APP_ID}, timeout=30
        )
        return answer.json()["code"]

    def post(self, path: str, **fields: Any) -> requests.Response:
        return requests.post(self.site + path, data=fields, timeout=30)

    def get(self, path: str, token: str = "") -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.get(self.site + path, headers=headers, timeout=30)


def run_step(command: list[str], **options: Any) -> str:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        **options,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def free_ports(number: int) -> list[int]:
    """Return ports on which nobody listens; all are held until all are known."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" + text)


def copy_checkout(target: Path) -> Path:
    """Copy what a wheel is built from, so that building leaves nothing in the tree."""
    target.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "MANIFEST.in", "LICENSE", README):
        shutil.copy(ROOT / name, target)
    shutil.copytree(ROOT / "wxauth", target / "wxauth", ignore=shutil.ignore_patterns("__py*"))
    return target


def make_environment(folder: Path) -> dict[str, str]:
    """Make a virtual environment in which all is installed but wxauth; return its variables."""
    venv.create(folder, with_pip=False)
    library = sysconfig.get_path("purelib", "venv", {"base": folder, "platbase": folder})
    # Only a site folder's own .pth files count: the editable wxauth of the tests stays outside.
    here = sysconfig.get_path("purelib")
    Path(library, "dependencies.pth").write_text(here + "\n")
    foreign = ("WXAUTH_", "DJANGO_", "PYTEST_", "VIRTUAL_ENV", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {
        **kept,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to say yes
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def project_by_the_readme(work: Path) -> Iterator[Project]:
    """Follow the README, in this folder, from the installation to the running site."""
    checkout = copy_checkout(work / "wxauth-checkout")
    environment = make_environment(work / "venv")
    install = block(README, "sh install").replace("/path/to/wxauth", str(checkout))
    run_step(["bash", "-ec", install], cwd=work, env=environment)

    python = work / "venv" / "bin" / "python"
    run_step([str(python), "-m", "django", "startproject", "shop"], cwd=work, env=environment)
    folder = work / "shop"
    append(folder / "shop" / "settings.py", block(README, "python settings.py"))
    append(folder / "shop" / "urls.py", block(README, "python urls.py"))
    append(folder / "shop" / "views.py", block(README, "python views.py"))
    append(folder / "shop" / "admin.py", block(INTEGRATION, "python admin.py"))
    append(folder / "shop" / "settings.py", OWN_APP)
    append(folder / "shop" / "urls.py", OWN_ADDRESSES)

    site, wechat = free_ports(2)
    steps = block(README, "sh run")
    for old, new in {
        "127.0.0.1:8001": f"127.0.0.1:{wechat}",
        "wxauth_simulator": f"wxauth_simulator --port {wechat}",
        "runserver": f"runserver {site}",
    }.items():
        assert steps.count(old) == 1, f"the README's steps have no {old}"
        steps = steps.replace(old, new)
    made = Project(
        folder=folder,
        python=python,
        environment={
            **environment,
            "WXAUTH_APP_ID": APP_ID,
            "WXAUTH_APP_SECRET": "made-up-secret",
        },
        site=f"http://127.0.0.1:{site}",
        wechat=f"http://127.0.0.1:{wechat}",
    )
    with running(steps, folder, environment, work / "servers.log") as shell:
        wait_for(wechat, shell, work / "servers.log")
        wait_for(site, shell, work / "servers.log")
        yield made


@contextmanager
def running(
    lines: str, folder: Path, environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Let a shell run these lines; afterwards end it, and all that it has started."""
    with log.open("w") as output:
        shell = subprocess.Popen(
            ["bash", "-ec", lines],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield shell
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)
        try:
            shell.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()


def wait_for(port: int, shell: subprocess.Popen[bytes], log: Path) -> None:
    """Return when somebody listens there."""
    end = time.monotonic() + PATIENCE
    while shell.poll() is None and time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        select.select([], [], [], 0.05)
    raise AssertionError(f"nobody listens on {port}\n{log.read_text()}")
