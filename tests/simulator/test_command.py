"""``manage.py wxauth_simulator``, mostly as the process that it is."""

import os
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import pytest
import requests
from django.core.management import CommandError, call_command

from wxauth.conf import conf
from wxauth.management.commands.wxauth_simulator import SIGNALS, Command, interruptions
from wxauth.simulator import SimulatedApp, WechatSimulator

pytestmark = pytest.mark.static

ROOT = Path(__file__).resolve().parents[2]


class Running:
    """The command as a process of its own, on a free port."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "django", "wxauth_simulator", "--port", "0", *options],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.first_line = self.process.stdout.readline()
        self.url = self.first_line.split()[-1] if self.first_line else ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def end(self, number):
        """Send the signal; return all that was written to each stream, and the exit code."""
        self.process.send_signal(number)
        # Not communicate: it forgets the lines that readline has read ahead.
        output, errors = self.process.stdout.read(), self.process.stderr.read()
        return self.first_line + output, errors, self.process.wait(10)


def sign_in(http, url, app_id, secret):
    code = http.get(f"{url}/_sim/login?user=alice&appid={app_id}", timeout=5).json()["code"]
    query = {"appid": app_id, "secret": secret, "js_code": code}
    query["grant_type"] = "authorization_code"
    return http.get(f"{url}/sns/jscode2session", params=query, timeout=5).json()


def test_apps_of_the_settings_are_served_until_sigterm():
    app = conf.app("default")
    with Running() as running, requests.Session() as http:
        answers = [sign_in(http, running.url, app.app_id, app.app_secret) for _ in range(101)]
        assert "unionid" in answers[0]
        assert answers[-1]["errcode"] == 45011
        # The connection is still open, and must not keep the process alive.
        output, errors, status = running.end(signal.SIGTERM)

    assert (errors, status) == ("", 0)
    assert output.startswith(f"WeChat is simulated at {running.url}\n")
    assert f"WXAUTH_API_BASE_URL={running.url}\n" in output
    assert f"WXAUTH_OPEN_BASE_URL={running.url}\n" in output
    assert f"curl '{running.url}/_sim/login?user=alice&appid={app.app_id}'" in output
    assert output.endswith("The simulator has stopped.\n")
    assert not [app.app_secret for app in conf.apps.values() if app.app_secret in output]


@pytest.mark.parametrize(
    ("kinds", "tried"),
    [
        (["website", "mini_program"], "_sim/login?user=alice&appid=wx1"),
        (["mobile", "website"], "_sim/oauth?user=alice&appid=wx0"),
    ],
)
def test_what_to_try_fits_the_apps(kinds, tried):
    apps = [SimulatedApp(f"wx{i}", "made-up", kind) for i, kind in enumerate(kinds)]
    output = StringIO()
    with WechatSimulator(apps) as simulator, requests.Session() as http:
        Command(stdout=output).greet(simulator)
        lines = output.getvalue().splitlines()
        assert f"WXAUTH_OPEN_BASE_URL={simulator.base_url}" in lines
        urls = re.findall(r"curl '(.+?)'", output.getvalue())
        assert urls[0] == f"{simulator.base_url}/{tried}"
        code = http.get(urls[0], timeout=5).json()["code"]
        assert all("error" not in http.get(url, timeout=5).json() for url in urls)
        exchange = urls[-1].replace("SECRET", "made-up").replace("CODE", code)
        assert "openid" in http.get(exchange, timeout=5).json()


def test_options_replace_apps_lift_limits_and_let_others_in_until_ctrl_c():
    apps = ["--app", "wxone:made-up", "--app", "wxtwo:made-up:main"]
    reach = ["--host", "0.0.0.0", "--allow-non-loopback"]
    with Running(*apps, *reach, "--no-limits") as running, requests.Session() as http:
        assert running.url.startswith("http://0.0.0.0:")
        assert http.get(f"{running.url}/_sim/apps", timeout=5).json()["apps"] == [
            {"appid": "wxone", "kind": "mini_program", "union_scope": None},
            {"appid": "wxtwo", "kind": "mini_program", "union_scope": "main"},
        ]
        answers = [sign_in(http, running.url, "wxone", "made-up") for _ in range(101)]
        assert all("openid" in answer for answer in answers)
        _, errors, status = running.end(signal.SIGINT)

    assert (errors, status) == ("", 0)


def test_port_in_use_is_a_clear_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(CommandError, match=f"Cannot listen on 127.0.0.1:{port}: .* in use"):
            call_command("wxauth_simulator", port=port)


def test_port_that_does_not_exist_is_a_clear_error():
    with pytest.raises(CommandError, match="Cannot listen on"):
        call_command("wxauth_simulator", port=99_999)


def test_no_apps_is_a_clear_error(settings):
    settings.WXAUTH_APPS = {}

    with pytest.raises(CommandError, match=r"WXAUTH_APPS.*--app APPID:SECRET"):
        call_command("wxauth_simulator")


def test_apps_that_cannot_be_read_are_a_clear_error(settings):
    settings.WXAUTH_APPS = {"default": {"kind": "nonsense"}}

    with pytest.raises(CommandError, match="unknown kind"):
        call_command("wxauth_simulator")


def test_other_machines_are_kept_out_unless_told():
    with pytest.raises(CommandError, match="--allow-non-loopback"):
        call_command("wxauth_simulator", host="0.0.0.0")


def test_app_given_twice_is_a_clear_error():
    apps = ["--app", "wxone:made-up", "--app", "wxone:another"]

    with pytest.raises(CommandError, match="given twice"):
        call_command("wxauth_simulator", *apps)


@pytest.mark.parametrize("app", ["", "wxone", "wxone:", ":secret", ":secret:scope"])
def test_bad_app_option_is_refused_without_showing_it(app):
    with pytest.raises(CommandError, match="APPID:SECRET:UNION_SCOPE") as caught:
        call_command("wxauth_simulator", "--app", app)
    assert "secret" not in str(caught.value)


def test_signals_are_given_back():
    before = [signal.getsignal(number) for number in SIGNALS]
    with interruptions() as interrupted:
        signal.raise_signal(signal.SIGTERM)
        assert interrupted.is_set()
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_signals_are_left_alone_outside_the_main_thread():
    def enter():
        with interruptions() as interrupted:
            return interrupted.is_set(), signal.getsignal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(enter).result() == (False, before)
