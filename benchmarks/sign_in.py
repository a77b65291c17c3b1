"""
What a sign-in and a token check cost the server, beside the floors of ``benchmarks.urls``.

    python -m benchmarks.sign_in [--requests 1000] [--tls]

One gunicorn worker, one client that waits for each answer, the simulator as WeChat: over plain
HTTP, or with ``--tls`` behind socat and a certificate of openssl's. The subjects take turns, so
that a busy machine is busy for all of them. ``DATABASE_URL`` and ``REDIS_URL`` choose the database
server and the cache, else SQLite and local memory. CPU is that of the worker process, from the
kernel; the database's own is not in it.
"""

import argparse
import os
import platform
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import certifi
import django
import psutil

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
os.environ["REDIS_KEY_PREFIX"] = f"wxauth-benchmark-{os.getpid()}"
os.environ.setdefault("DEBUG", "0")
os.environ.setdefault("SECRET_KEY", "only for benchmarks " * 3)
os.environ.setdefault("WXAUTH_APPS", '{"default": {"app_id": "wxb", "app_secret": "made-up"}}')
django.setup()

from django.core.cache import caches  # noqa: E402  (after setup)
from django.db import connection  # noqa: E402
from rest_framework_simplejwt.tokens import AccessToken  # noqa: E402

from tests.concurrency.deployment import deployment  # noqa: E402
from tests.concurrency.server import Ask, Line, serving  # noqa: E402
from wxauth.conf import conf  # noqa: E402
from wxauth.simulator import SimulatedApp, WechatSimulator  # noqa: E402

ROUNDS = 10
PEOPLE = [f"person {i}" for i in range(100)]


@dataclass
class Subject:
    """One way to do something, and what was measured of it."""

    name: str
    make_ask: Callable[[], Ask]
    cpu: float = 0.0  # seconds, all requests together
    times: list[float] = field(default_factory=list)  # seconds, each request

    def run(self, line: Line, requests: int) -> None:
        process = psutil.Process(line.worker)
        before = process.cpu_times()
        for _ in range(requests):
            ask = self.make_ask()
            start = time.perf_counter()
            answer = line.ask(ask)
            self.times.append(time.perf_counter() - start)
            assert answer.status == 200, answer
        after = process.cpu_times()
        self.cpu += after.user + after.system - before.user - before.system

    def row(self, floor: "Subject") -> str:
        cuts = statistics.quantiles(self.times, n=100)
        each, least = self.cpu / len(self.times), floor.cpu / len(floor.times)
        figures = f"{each * 1000:.2f} | {each / least:.2f} | {cuts[49] * 1000:.1f}"
        return f"| {self.name} | {figures} | {cuts[98] * 1000:.1f} |"


def sign_ins(simulator: WechatSimulator) -> list[Subject]:
    """Return three ways for a known person to sign in, the floor first."""
    app = conf.app()
    people: Iterator[str] = cycle(PEOPLE)

    def with_code(route: str) -> Callable[[], Ask]:
        return lambda: Ask(route, {"code": simulator.login(next(people), app.app_id)})

    return [
        Subject("floor: plain view, pooled `requests.Session`, raw SQL", with_code("floor/pooled")),
        Subject("wxauth: `POST /api/login`", with_code("login")),
        Subject("plain view, `requests.get` per call, raw SQL", with_code("floor/unpooled")),
    ]


def checks(access: str) -> list[Subject]:
    """Return two ways to check a token, the floor first."""
    foreign = str(AccessToken())
    return [
        Subject(
            "floor: simplejwt's TokenVerifyView (signature only, no SQL)",
            lambda: Ask("floor/verify", {"token": foreign}),
        ),
        Subject(
            "wxauth: `POST /api/check_token` (session and user, 1 SQL)",
            lambda: Ask("check_token", {"token": access}),
        ),
    ]


@contextmanager
def tls_front(simulator: WechatSimulator) -> Iterator[dict[str, str]]:
    """Put TLS before the simulator; yield the variables that lead a server there."""
    with tempfile.TemporaryDirectory() as folder:
        key, cert, bundle = (Path(folder, name) for name in ("key.pem", "cert.pem", "all.pem"))
        make = "openssl req -x509 -nodes -days 1 -newkey ec -pkeyopt ec_paramgen_curve:P-256"
        make += (
            f" -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}"
        )
        subprocess.run(make.split(), check=True, capture_output=True)
        # As on a real server, where the authorities of the whole world are in it.
        bundle.write_text(Path(certifi.where()).read_text() + cert.read_text())
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        target = simulator.base_url.removeprefix("http://")
        listen = f"OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,nodelay,verify=0"
        command = ["socat", f"{listen},cert={cert},key={key}", f"TCP:{target},nodelay"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            url = f"https://127.0.0.1:{port}"
            yield {"WXAUTH_API_BASE_URL": url, "REQUESTS_CA_BUNDLE": str(bundle)}
        finally:
            process.terminate()
            process.wait()


def choose_front(
    simulator: WechatSimulator, *, tls: bool
) -> AbstractContextManager[dict[str, str]]:
    return tls_front(simulator) if tls else nullcontext({})


def measure(
    simulator: WechatSimulator, requests: int, wechat: dict[str, str]
) -> list[list[Subject]]:
    """Run all subjects in turns and return them in their groups."""
    variables = {**deployment(simulator), **wechat}
    variables["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    with serving(workers=1, threads=8, **variables) as server, server.lines(1) as [line]:
        app_id = conf.app().app_id
        for person in PEOPLE:
            answer = line.ask(Ask("authorize", {"code": simulator.login(person, app_id)}))
            assert answer.status == 201, answer
        groups = [sign_ins(simulator), checks(answer.body["access"])]
        for subject in (subject for group in groups for subject in group):
            subject.run(line, 20)  # to warm up, and not counted
            subject.cpu, subject.times = 0.0, []
        for _ in range(ROUNDS):
            for group in groups:
                for subject in group:
                    subject.run(line, requests // ROUNDS)
    return groups


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args()
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        apps = [SimulatedApp.like(app) for app in conf.apps.values()]
        with (
            WechatSimulator(apps) as simulator,
            choose_front(simulator, tls=options.tls) as wechat,
        ):
            groups = measure(simulator, options.requests, wechat)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
        if "REDIS_URL" in os.environ:
            caches["default"].delete_pattern("*")  # only what has our prefix
    cache = "Redis" if "REDIS_URL" in os.environ else "local memory"
    wire = "TLS" if options.tls else "plain HTTP"
    load = os.getloadavg()[0]
    print(
        f"{connection.display_name}, {cache}, WeChat over {wire}, {os.cpu_count()} cores, ", end=""
    )
    print(
        f"load {load:.1f}, Python {platform.python_version()}, Django {django.__version__}, ",
        end="",
    )
    print(f"{options.requests} requests each\n")
    for group in groups:
        print("| | CPU ms | × floor | p50 ms | p99 ms |\n|---|---|---|---|---|")
        print("\n".join(subject.row(group[0]) for subject in group), end="\n\n")


if __name__ == "__main__":
    main()
