"""The fixture ``wechat_simulator``, for our tests and for those of projects that use wxauth."""

from collections.abc import Iterator
from typing import Any

import pytest

from wxauth.conf import conf
from wxauth.simulator import SimulatedApp, WechatSimulator


@pytest.fixture(scope="session")
def _wechat_simulator_server() -> Iterator[WechatSimulator]:
    with WechatSimulator() as simulator:
        yield simulator


@pytest.fixture
def wechat_simulator(_wechat_simulator_server: WechatSimulator, settings: Any) -> WechatSimulator:
    """
    A running simulator that has forgotten all earlier tests, with the apps of the settings.

    ``WXAUTH_API_BASE_URL`` and ``WXAUTH_OPEN_BASE_URL`` lead to it while the test runs. A test that
    changes ``WXAUTH_APPS`` later says so with ``wechat_simulator.use_apps``.
    """
    simulator = _wechat_simulator_server
    simulator.use_apps(SimulatedApp.like(app) for app in conf.apps.values())
    simulator.reset()
    settings.WXAUTH_API_BASE_URL = settings.WXAUTH_OPEN_BASE_URL = simulator.base_url
    return simulator
