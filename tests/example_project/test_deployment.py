"""PostgreSQL, Redis and gunicorn with two workers, told apart from a laptop by variables alone."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import redis
import requests

from tests.example_project.processes import ROOT, clean_environment, skip_without, started
from tests.run import connect_postgres, connect_redis, service_url
from wxauth.simulator import SimulatedApp, WechatSimulator

try:
    import psycopg
except ImportError:
    psycopg = None

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("deployment")]

APP_ID, APP_SECRET = "wx00000000deployed", "made-up-secret-of-the-deployment"
PEOPLE = 12
TIMEOUT = 20  # seconds
GUNICORN = (
    *("-m", "gunicorn", "--workers", "2", "--threads", "4", "--bind", "127.0.0.1:0"),
    *("--access-logfile", "-", "--access-logformat", "served by %(p)s", "example_project.wsgi"),
)


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of an empty database on PostgreSQL, gone afterwards."""
    server = service_url("PostgreSQL")
    if psycopg is None:
        skip_without("PostgreSQL", "its driver psycopg is not installed")
    try:
        connect_postgres(server)
    except psycopg.Error as error:
        skip_without("PostgreSQL", f"it does not answer ({type(error).__name__})")
    name = f"wxauth_deployment_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def cache() -> Iterator[tuple[str, str]]:
    """The URL of a Redis and a prefix that nobody else has; its keys are gone afterwards."""
    url, prefix = service_url("Redis"), f"wxauth-deployment-{uuid4().hex[:12]}"
    try:
        connect_redis(url)
    except redis.RedisError as error:
        skip_without("Redis", f"it does not answer ({type(error).__name__})")
    yield url, prefix
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(f"{prefix}*"):
            client.delete(key)


def post(url: str, body: dict[str, Any], token: str = "") -> requests.Response:
    """Post on a connection of its own, which any worker may take."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.post(url, json=body, headers=headers, timeout=TIMEOUT)


def test_two_workers_on_postgresql_and_redis_by_variables_alone(
    database: str, cache: tuple[str, str], tmp_path: Path
) -> None:
    if find_spec("gunicorn") is None:
        skip_without("gunicorn", "the Python package is not installed")
    url, prefix = cache
    app = SimulatedApp(app_id=APP_ID, app_secret=APP_SECRET)
    with WechatSimulator(apps=[app]) as wechat:
        variables = {
            "DEBUG": "0",
            "SECRET_KEY": "only-for-tests-" + uuid4().hex * 2,
            "DATABASE_URL": database,
            "REDIS_URL": url,
            "REDIS_KEY_PREFIX": prefix,
            "WXAUTH_API_BASE_URL": wechat.base_url,
            "WXAUTH_APPS": json.dumps({"shop": {"app_id": APP_ID, "app_secret": APP_SECRET}}),
            "VAR_DIR": str(tmp_path / "var"),
        }
        migrated = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"],
            cwd=ROOT,
            env=clean_environment(**variables),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert migrated.returncode == 0, migrated.stderr
        with started(*GUNICORN, ready="Booting worker", **variables) as gunicorn:
            match = re.search(r"Listening at: (http://[\d.:]+)", gunicorn.banner)
            assert match
            with ThreadPoolExecutor(max_workers=6) as pool:
                list(pool.map(partial(use, match[1], wechat), range(PEOPLE)))
            look(match[1], wechat)
            gunicorn.process.terminate()
            log, _ = gunicorn.process.communicate(timeout=TIMEOUT)
    assert len(set(re.findall(r"served by <(\d+)>", log))) == 2
    assert "Traceback" not in log
    assert not (tmp_path / "var").exists()  # no state of the deployment lies on this machine


def use(site: str, wechat: WechatSimulator, number: int) -> None:
    """Sign in, register, bind and sign out; what one worker begins, another one ends."""
    person = f"person-{number}"
    unknown = post(f"{site}/api/login", {"code": wechat.login(person, APP_ID)})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_registered")
    # The ticket lies in Redis: with a cache per process, half of these would fail.
    made = post(f"{site}/api/register_simple", {"ticket": unknown.json()["ticket"]})
    assert made.status_code == 201, made.text
    access = made.json()["access"]
    phone_code = wechat.phone(person, APP_ID)["code"]
    bound = post(f"{site}/api/bind_phone", {"phone_code": phone_code}, access)
    assert bound.status_code == 200, bound.text
    token = {"Authorization": f"Bearer {access}"}
    assert requests.get(f"{site}/sample/orders", headers=token, timeout=TIMEOUT).ok
    assert post(f"{site}/api/logout", {}, access).status_code == 204
    assert post(f"{site}/api/check_token", {"token": access}).status_code == 401


def look(site: str, wechat: WechatSimulator) -> None:
    """Look at what is left when all have done that."""
    known = post(f"{site}/api/login", {"code": wechat.login("person-0", APP_ID)})
    assert (known.status_code, known.json()["registered"]) == (200, False)
    assert len(wechat.calls("/cgi-bin/stable_token")) == 1
    # The page and the admin's styles are served without a collectstatic.
    assert requests.get(f"{site}/", timeout=TIMEOUT).ok
    for path in ("admin/css/base.css", "example_project/page.css"):
        assert requests.get(f"{site}/static/{path}", timeout=TIMEOUT).ok
