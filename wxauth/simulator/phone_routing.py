"""What all ``/_sim/`` routes have in common: what they take, and how it is read."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wxauth.simulator.controls import Controls
from wxauth.simulator.errors import SimulatorError

Params = Mapping[str, str]
PERSON = ("user", "appid")


@dataclass(frozen=True, slots=True)
class PhoneRoute:
    """One control: what it does, the parameters it must have and those it may have."""

    action: Callable[[Controls, Params], dict[str, Any]]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


def read_flag(params: Params, name: str) -> bool:
    """Return whether it is "1"; raise ``SimulatorError`` for what is neither that nor "0"."""
    if params[name] not in ("0", "1"):
        raise SimulatorError(f"{name} is 0 or 1")
    return params[name] == "1"


def read_number(params: Params, name: str) -> float:
    """Return the number; raise ``SimulatorError`` for what is none, or too large."""
    try:
        number = float(params[name])
    except ValueError:
        number = math.nan
    if not abs(number) < 1e10:  # not NaN either
        raise SimulatorError(f"{name} is a number")
    return number
