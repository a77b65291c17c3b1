"""
Servers for the tests, on the very database and cache that pytest-django has made for them.

So the tests can look at the tables by the models, and the database goes away however they end.
"""

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings

from tests.concurrency.deployment import deployment
from tests.concurrency.server import Ask, Server, serving
from wxauth.conf import WechatApp, conf
from wxauth.simulator import SimulatedApp, WechatSimulator

CROWD = 32
WORKERS = 2


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Mark these tests, so that a run can choose them; leave them out with a custom user model,
    which the example project has not.
    """
    left_out = [item for item in items if item.nodeid.startswith("tests/concurrency/")]
    for item in left_out:
        item.add_marker("crowd")
    if settings.AUTH_USER_MODEL == "auth.User":
        return
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="package")
def _simulator() -> Iterator[WechatSimulator]:
    with WechatSimulator(map(SimulatedApp.like, conf.apps.values())) as simulator:
        yield simulator


@pytest.fixture
def simulator(_simulator: WechatSimulator) -> WechatSimulator:
    """The WeChat that the server asks; it has forgotten all earlier tests."""
    _simulator.reset()
    return _simulator


@pytest.fixture(scope="package")
def _server(django_db_setup: None, _simulator: WechatSimulator) -> Iterator[Server]:
    with serving(workers=WORKERS, threads=CROWD // WORKERS, **deployment(_simulator)) as server:
        yield server


@pytest.fixture
def server(_server: Server, simulator: WechatSimulator) -> Server:
    """Two worker processes of 16 threads: a crowd of 32 is served at once."""
    return _server


@pytest.fixture
def lone_server(django_db_setup: None, simulator: WechatSimulator) -> Iterator[Server]:
    """One worker process of one thread."""
    with serving(workers=1, threads=1, **deployment(simulator)) as server:
        yield server


@pytest.fixture
def make_ask(simulator: WechatSimulator, app: WechatApp) -> Callable[..., Ask]:
    """Return a function that makes a sign-in with a fresh code of this person's."""

    def make_ask(route: str, person: str = "alice", in_app: WechatApp = app) -> Ask:
        body = {"app": in_app.alias, "code": simulator.login(person, in_app.app_id)}
        if route == "register_complex":
            data = simulator.userinfo(person, in_app.app_id)
            body |= {name: data[name] for name in ("encryptedData", "iv", "rawData", "signature")}
        return Ask(route, body)

    return make_ask


@pytest.fixture
def sign_in(server: Server, make_ask: Callable[..., Ask]) -> Callable[..., dict]:
    """Return a function that signs a person in, if need be as a new one, and gives the tokens."""

    def sign_in(person: str = "alice", **fields: object) -> dict:
        ask = make_ask("authorize", person, **fields)
        answer = server.ask(ask.route, ask.body)
        assert answer.status in (200, 201), answer
        return answer.body

    return sign_in
