"""``manage.py wxauth_simulator``: a WeChat on this machine, until Ctrl-C or SIGTERM."""

import signal
import threading
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from wxauth.conf import conf
from wxauth.simulator import SimulatedApp, SimulatorError, WechatSimulator
from wxauth.simulator.loopback import is_loopback
from wxauth.simulator.world import MINI_PROGRAM

SIGNALS = (signal.SIGINT, signal.SIGTERM)
WAKE = 0.5  # seconds; Windows does not interrupt a wait that has no end


class Command(BaseCommand):
    """Run the simulator. Its apps are those of the settings unless ``--app`` names others."""

    help = "Run a simulated WeChat, for development and tests: made-up apps and people only."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8001, help="0 takes a free one")
        parser.add_argument(
            "--app",
            action="append",
            type=parse_app,
            metavar="APPID:SECRET[:UNION_SCOPE]",
            help="a mini program to simulate; may be repeated",
        )
        parser.add_argument(
            "--allow-non-loopback",
            action="store_true",
            help="listen where other machines reach it: whoever does can sign in as anybody",
        )
        parser.add_argument(
            "--no-limits", action="store_true", help="no 45009 and 45011, for load tests"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        apps = options["app"] or configured_apps()
        if not apps:
            raise CommandError(
                "No apps: set WXAUTH_APPS, or name one with --app APPID:SECRET (made up, please)."
            )
        host, port = options["host"], options["port"]
        with interruptions() as interrupted:
            simulator = start(apps, host, port, options["allow_non_loopback"])
            try:
                if options["no_limits"]:
                    simulator.lift_limits()
                self.greet(simulator)
                while not interrupted.wait(WAKE):
                    pass
            finally:
                simulator.stop()
        self.stdout.write("The simulator has stopped.")

    def greet(self, simulator: WechatSimulator) -> None:
        """Say where it is and what to try, without any secret."""
        url, apps = simulator.base_url, simulator.apps
        self.stdout.write(f"WeChat is simulated at {url}")
        self.stdout.write(f"WXAUTH_API_BASE_URL={url}")
        self.stdout.write(f"WXAUTH_OPEN_BASE_URL={url}")
        for app in apps:
            self.stdout.write(f"  {app.kind} {app.app_id}, union scope {app.union_scope}")
        app = next((app for app in apps if app.kind == MINI_PROGRAM), apps[0])
        names, path, field = ["oauth"], "sns/oauth2/access_token", "code"
        if app.kind == MINI_PROGRAM:
            names, path, field = ["login", "phone", "userinfo"], "sns/jscode2session", "js_code"
        self.stdout.write("Try:")
        for name in names:
            self.stdout.write(f"  curl '{url}/_sim/{name}?user=alice&appid={app.app_id}'")
        self.stdout.write(
            f"  curl '{url}/{path}?appid={app.app_id}&secret=SECRET"
            f"&{field}=CODE&grant_type=authorization_code'"
        )
        self.stdout.flush()


def parse_app(text: str) -> SimulatedApp:
    """Return the app of an ``--app`` option."""
    app_id, _, rest = text.partition(":")
    secret, _, scope = rest.partition(":")
    try:
        return SimulatedApp(app_id, secret, union_scope=scope or None)
    except SimulatorError:
        # from None, and without the text: it may hold a secret.
        raise ArgumentTypeError("it is APPID:SECRET or APPID:SECRET:UNION_SCOPE") from None


def configured_apps() -> list[SimulatedApp]:
    """Return the apps of the settings."""
    try:
        return [SimulatedApp.like(app) for app in conf.apps.values()]
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error


def start(
    apps: list[SimulatedApp], host: str, port: int, allow_non_loopback: bool
) -> WechatSimulator:
    """Return the running simulator, or raise ``CommandError`` in words that help."""
    if not allow_non_loopback and not is_loopback(host):
        raise CommandError(
            f"Other machines can reach {host}, and whoever reaches the simulator can sign in as"
            " anybody. Use --allow-non-loopback if that is what you want."
        )
    try:
        simulator = WechatSimulator(
            apps, host=host, port=port, allow_non_loopback=allow_non_loopback
        )
        simulator.start()
    except SimulatorError as error:
        raise CommandError(str(error)) from None
    except (OSError, OverflowError) as error:
        raise CommandError(f"Cannot listen on {host}:{port}: {error}") from None
    return simulator


@contextmanager
def interruptions() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set; a thread other than the main one gets none."""
    interrupted = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupted.set()

    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    previous = [signal.signal(number, interrupt) for number in SIGNALS]
    try:
        yield interrupted
    finally:
        for number, handler in zip(SIGNALS, previous, strict=True):
            signal.signal(number, handler)
