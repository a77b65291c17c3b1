"""A server with the drop-in at its root, on the database of the tests, and clients that ask it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.apifactory.client import Client, alias, install, loaded
from tests.concurrency.deployment import deployment
from tests.concurrency.server import Server, serving
from wxauth.conf import WechatApp, conf
from wxauth.simulator import SimulatedApp, WechatSimulator

SUB = "tz"


@pytest.fixture(scope="package")
def packages(pytestconfig: pytest.Config) -> Path:
    """The folder with the versions of the package, one by each name."""
    assert pytestconfig.cache is not None
    folder = pytestconfig.cache.mkdir("apifm-wxapi")
    why_not = install(folder)
    if why_not is not None:
        pytest.skip(why_not)
    return folder / "node_modules"


@pytest.fixture(scope="package")
def _wechat() -> Iterator[WechatSimulator]:
    with WechatSimulator(map(SimulatedApp.like, conf.apps.values())) as simulator:
        yield simulator


@pytest.fixture
def wechat(_wechat: WechatSimulator) -> WechatSimulator:
    _wechat.reset()
    return _wechat


@pytest.fixture(scope="package")
def outbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file into which the server's text messages go."""
    return tmp_path_factory.mktemp("sms") / "messages.jsonl"


@pytest.fixture(scope="package")
def _server(
    django_db_setup: None,
    _wechat: WechatSimulator,
    outbox: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    variables = deployment(_wechat) | {
        "VAR_DIR": str(tmp_path_factory.mktemp("var")),
        "WXAUTH_SMS_BACKEND": "wxauth.sms.file.FileSender",
        "WXAUTH_SMS_OPTIONS": f'{{"path": "{outbox}"}}',
    }
    with serving(workers=2, threads=8, **variables) as server:
        yield server


@pytest.fixture
def base(_server: Server, wechat: WechatSimulator, transactional_db: None) -> str:
    """The base URL for the clients."""
    return f"http://127.0.0.1:{_server.port}"


class Shopper:
    """A person with a phone on which an app with the package runs."""

    def __init__(
        self, client: Client, wechat: WechatSimulator, app: WechatApp, name: str = "alice"
    ) -> None:
        self.client, self.wechat, self.app, self.name = client, wechat, app, name

    def __call__(self, call: str, *args: Any) -> Any:
        return self.client(call, *args)

    def code(self) -> str:
        return self.wechat.login(self.name, self.app.app_id)

    def profile(self) -> dict[str, str]:
        data = self.wechat.userinfo(self.name, self.app.app_id)
        return {"encryptedData": data["encryptedData"], "iv": data["iv"]}

    def button(self) -> dict[str, str]:
        return self.wechat.phone(self.name, self.app.app_id)

    def sign_in(self) -> dict[str, Any]:
        answer = self("authorize", {"code": self.code(), "referrer": ""})
        assert answer["code"] == 0, answer
        return answer["data"]


@pytest.fixture
def make_shopper(
    packages: Path, base: str, wechat: WechatSimulator, app: WechatApp
) -> Iterator[Callable[..., Shopper]]:
    """Return a function that gives somebody a phone with a version of the package."""
    with ExitStack() as open_clients:

        def make_shopper(
            version: str, name: str = "alice", *, script: Path | None = None
        ) -> Shopper:
            client = open_clients.enter_context(loaded(packages / alias(version), script))
            if script is None:
                client("init2", base, SUB)
            return Shopper(client, wechat, app, name)

        yield make_shopper
