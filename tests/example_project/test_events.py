"""The code under an ASGI server: two processes tell the page by Server-Sent Events."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

from tests.example_project.processes import ROOT, Demo, clean_environment, skip_without, started
from tests.example_project.test_browser_flows import Phone, chromium  # noqa: F401  a fixture
from tests.run import connect_redis, service_url

try:
    from playwright.sync_api import expect
except ImportError:
    expect = None

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("example")]

UVICORN = ("-m", "uvicorn", "--workers", "2", "example_project.asgi:application")


class Site:
    """What ``Phone`` wants to know of a demo."""

    def __init__(self, url: str, simulator: str) -> None:
        self.url, self.simulator = url, simulator


@pytest.fixture
def site(demo: Demo, tmp_path: Path, closed_port: int) -> Iterator[Site]:
    """The example behind uvicorn, with the simulator of the demo."""
    url, prefix = service_url("Redis"), f"wxauth-events-{uuid4().hex[:12]}"
    try:
        connect_redis(url)
    except redis.RedisError as error:
        skip_without("Redis", f"it does not answer ({type(error).__name__})")
    variables = {
        "VAR_DIR": str(tmp_path),
        "REDIS_URL": url,
        "REDIS_KEY_PREFIX": prefix,
        "WXAUTH_API_BASE_URL": demo.simulator,
        "WXAUTH_OPEN_BASE_URL": demo.simulator,
    }
    command = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=clean_environment(**variables), check=True, timeout=120)
    port = ("--port", str(closed_port))
    with started(*UVICORN, *port, ready="startup complete", **variables):
        yield Site(f"http://127.0.0.1:{closed_port}", demo.simulator)
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(f"{prefix}*"):
            client.delete(key)


def test_page_is_told_and_asks_nothing_itself(chromium: Any, site: Any) -> None:  # noqa: F811
    phone = Phone(site, "sse")
    page = chromium.new_page(locale="en-US")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.url}/wechat/scan/?next=/browser")
    state = page.locator("#state")
    expect(state).to_have_text("Waiting for your phone.")
    scan = page.locator("[name=scan]").input_value()
    phone.say("look", scan)
    expect(state).to_have_text("Scanned. Please confirm on your phone.")
    assert not [url for url in asked if "/scan/state/" in url]
    phone.say("confirm", scan)
    expect(page.locator("#user")).to_have_attribute("data-uid", phone.uid)
    assert len([url for url in asked if "/scan/events/" in url]) == 1
    page.close()
