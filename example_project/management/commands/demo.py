"""``manage.py demo``: the whole example on a laptop, with one command."""

import errno
import logging
import signal
import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.core.servers.basehttp import (
    ThreadedWSGIServer,
    WSGIRequestHandler,
    get_internal_wsgi_application,
)

from example_project.environment import keep_secret
from wxauth.conf import conf
from wxauth.simulator import SimulatedApp, WechatSimulator

HOST = "127.0.0.1"
ADMIN_NAME = "admin"


class Handler(WSGIRequestHandler):
    """Sends at once: on a kept connection, Nagle's algorithm would wait 40 ms for each answer."""

    disable_nagle_algorithm = True


class Command(BaseCommand):
    help = "Run the example: the site, the simulator that plays WeChat, and an admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="of the site; 0: any free one")
        parser.add_argument(
            "--simulator-port", type=int, default=8001, help="of the simulator; 0: any free one"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "demo is for a laptop and needs DEBUG. A deployment runs "
                "`gunicorn example_project.wsgi` and `manage.py migrate`."
            )
        with signals_as_interrupt():
            try:
                self.serve(
                    port=options["port"],
                    simulator_port=options["simulator_port"],
                    shows_requests=options["verbosity"] > 1,
                )
            except KeyboardInterrupt:
                self.stdout.write("\nBye.")

    def serve(self, *, port: int, simulator_port: int, shows_requests: bool) -> None:
        """Prepare everything, and answer until somebody interrupts."""
        with ExitStack() as stack:
            # The ports come first: without them there is nothing to prepare a database for.
            server = stack.enter_context(open_site(port))
            simulator = self.open_simulator(stack, port=simulator_port)
            if not shows_requests:  # the page does; and a refused sign-in is no fault of the site
                for name in ("django.server", "django.request", "wxauth"):
                    logging.getLogger(name).setLevel(logging.ERROR)
            call_command("migrate", interactive=False, verbosity=0)
            password = prepare_admin(settings.VAR_DIR / "admin-password")
            self.show_banner(server.server_port, simulator=simulator, password=password)
            server.serve_forever()

    def open_simulator(self, stack: ExitStack, *, port: int) -> str:
        """Start the simulator and return its address; "" when the environment names a WeChat."""
        if not settings.DEMO_SIMULATOR:
            return ""
        apps = [
            SimulatedApp(
                app_id=app.app_id,
                app_secret=app.app_secret,
                kind=app.kind,
                union_scope=app.union_scope,
            )
            for app in conf.apps.values()
        ]
        with port_errors(port, option="--simulator-port"):
            simulator = stack.enter_context(WechatSimulator(apps=apps, host=HOST, port=port))
        # The port may not be the usual one.
        settings.WXAUTH_API_BASE_URL = settings.WXAUTH_OPEN_BASE_URL = simulator.base_url
        return simulator.base_url

    def show_banner(self, port: int, *, simulator: str, password: str) -> None:
        """Say where everything is."""
        site = f"http://{HOST}:{port}"
        rows = [
            ("Page", f"{site}/"),
            ("Admin", f"{site}/admin/"),
            ("", f"user {ADMIN_NAME}, password {password}" if password else "password: your own"),
            ("WeChat", f"{simulator}  (simulated)" if simulator else conf.api_base_url),
        ]
        self.stdout.write(self.style.SUCCESS("\n  wxauth is ready: sign in with WeChat.\n"))
        for name, value in rows:
            self.stdout.write(f"  {name:<8}{value}")
        self.stdout.write("\n  Ctrl-C ends it.\n")
        self.stdout.flush()


@contextmanager
def signals_as_interrupt() -> Iterator[None]:
    """
    Let SIGTERM end the command as Ctrl-C does, so that everything is closed; and Ctrl-C too where
    whoever started it, such as a script in the background, has it ignored.
    """

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # only there are signals heard
        yield
        return
    heard = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def port_errors(port: int, *, option: str) -> Iterator[None]:
    """Turn the system's words about a port into a sentence that says what to do."""
    try:
        yield
    except OverflowError:
        raise CommandError(f"{port} is no port: {option} takes 0 to 65535.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CommandError(
                f"Port {port} is in use. Choose another: {option} {port + 10}"
            ) from None
        raise CommandError(f"Port {port} cannot be opened: {error.strerror}.") from None


@contextmanager
def open_site(port: int) -> Iterator[ThreadedWSGIServer]:
    """Take the port. The first visitors wait until ``serve_forever``."""
    with port_errors(port, option="--port"):
        server = ThreadedWSGIServer((HOST, port), Handler)
    server.set_app(get_internal_wsgi_application())
    try:
        yield server
    finally:
        server.server_close()


def prepare_admin(path: Path) -> str:
    """
    Return the password of the demo's admin, making both when there is none.

    The password is random and kept in ``path``. "" when somebody has chosen another one.
    """
    manager = get_user_model()._default_manager
    user = manager.filter(username=ADMIN_NAME).first()
    if user is None:
        password = keep_secret(path, size=12)
        manager.create_superuser(username=ADMIN_NAME, email="", password=password)
        return password
    kept = path.read_text().strip() if path.exists() else ""
    return kept if kept and user.check_password(kept) else ""
