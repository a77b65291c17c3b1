"""WeChat for developers and tests: a real HTTP server with made-up apps and people."""

from wxauth.simulator.errors import SimulatorError
from wxauth.simulator.simulator import WechatSimulator
from wxauth.simulator.world import SimulatedApp

__all__ = ["SimulatedApp", "SimulatorError", "WechatSimulator"]
