"""Where a request comes from: what services are told of it."""

from wxauth.devices import NOWHERE, Device

__all__ = ["NOWHERE", "Device"]
