"""``manage.py demo``: what it starts, says, refuses, and leaves behind."""

import re
import signal
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError

from example_project.environment import keep_secret
from example_project.management.commands.demo import Command, open_site, prepare_admin
from tests.example_project.processes import ROOT, Demo, started_demo

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("example")]

TIMEOUT = 20  # seconds


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers=headers, timeout=TIMEOUT)


def test_page_allows_itself_and_the_simulator_and_nothing_else(demo: Demo) -> None:
    policy = get(f"{demo.url}/").headers["Content-Security-Policy"]
    assert [part.strip() for part in policy.split(";")] == [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        f"connect-src 'self' {demo.simulator}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]


def test_page_has_nothing_inline_and_nothing_from_elsewhere(demo: Demo) -> None:
    html = get(f"{demo.url}/").text
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", html) == []
    links = re.findall(r'(?:src|href)="([^"#][^"]*)"', html)
    assert len(links) >= 6
    assert all(link.startswith("/") and not link.startswith("//") for link in links)
    assert {get(demo.url + link).status_code for link in links} == {200}


def test_page_has_no_secret_of_an_app(demo: Demo) -> None:
    html = get(f"{demo.url}/").text
    assert "wxdemo00000000mall" in html
    assert "made-up-secret" not in html


def test_page_is_for_reading_only(demo: Demo) -> None:
    assert requests.post(f"{demo.url}/", timeout=TIMEOUT).status_code in (403, 405)


def test_sample_view_wants_a_token(demo: Demo) -> None:
    answer = get(f"{demo.url}/sample/orders")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_admin_opens_with_the_printed_password(demo: Demo) -> None:
    session = requests.Session()
    url = f"{demo.url}/admin/login/?next=/admin/"
    session.get(url, timeout=TIMEOUT)
    form = {"username": "admin", "password": demo.password}
    form["csrfmiddlewaretoken"] = session.cookies["csrftoken"]
    answer = session.post(url, data=form, headers={"Referer": url}, timeout=TIMEOUT)
    assert answer.url == f"{demo.url}/admin/"
    assert "/admin/wxauth/" in answer.text


@pytest.mark.django_db
def test_password_is_random_kept_and_shown_until_somebody_changes_it(tmp_path: Path) -> None:
    first = prepare_admin(tmp_path / "admin-password")
    assert len(first) >= 16
    assert prepare_admin(tmp_path / "admin-password") == first
    assert (tmp_path / "admin-password").stat().st_mode & 0o077 == 0
    admin = get_user_model().objects.get(username="admin")
    assert admin.check_password(first)
    admin.set_password("a better one")
    admin.save()
    assert prepare_admin(tmp_path / "admin-password") == ""
    (tmp_path / "admin-password").unlink()
    assert prepare_admin(tmp_path / "admin-password") == ""
    assert not list(tmp_path.iterdir())
    assert keep_secret(tmp_path / "another", size=12) != first


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with started_demo(tmp_path) as demo:
        kept = requests.Session()  # a connection that stays open must not hold it up
        kept.get(f"{demo.url}/", timeout=TIMEOUT)
        demo.process.send_signal(number)
        rest, _ = demo.process.communicate(timeout=TIMEOUT)
        kept.close()
    assert demo.process.returncode == 0
    assert rest.strip() == "Bye."
    for url in (demo.url, demo.simulator):
        with pytest.raises(requests.ConnectionError):
            get(url)


def test_port_in_use_is_one_sentence_that_names_the_option(settings: Any) -> None:
    settings.DEMO_SIMULATOR = True
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError) as site, open_site(port):
            pass
        with pytest.raises(CommandError) as simulator, ExitStack() as stack:
            Command().open_simulator(stack, port=port)
    sentence = f"Port {port} is in use. Choose another: {{}} {port + 10}"
    assert str(site.value) == sentence.format("--port")
    assert str(simulator.value) == sentence.format("--simulator-port")


def test_number_that_is_no_port_is_refused() -> None:
    with pytest.raises(CommandError, match="70000 is no port: --port takes 0 to 65535"):
        open_site(70000).__enter__()


def test_without_debug_it_does_not_run(settings: Any) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match="needs DEBUG"):
        call_command(Command())


def test_named_wechat_is_used_and_no_simulator_started(tmp_path: Path) -> None:
    with started_demo(tmp_path, WXAUTH_API_BASE_URL="https://api.weixin.qq.com") as demo:
        assert "simulated" not in demo.banner
        answer = get(f"{demo.url}/")
    assert 'data-simulator=""' in answer.text
    assert "connect-src 'self';" in answer.headers["Content-Security-Policy"]


def test_readme_is_shown_in_both_languages(demo: Demo) -> None:
    english, chinese = get(f"{demo.url}/readme"), get(f"{demo.url}/readme?lang=zh")
    assert (english.status_code, chinese.status_code) == (200, 200)
    assert english.text == (ROOT / "README.md").read_text(encoding="utf-8")
    assert chinese.text == (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")


def test_push_door_refuses_who_is_not_wechat(demo: Demo) -> None:
    assert requests.post(f"{demo.url}/push/mall", data="{}", timeout=TIMEOUT).status_code == 403
