"""Which hosts only this machine can reach."""

import ipaddress
import socket


def addresses(host: str) -> list[str]:
    """Return what ``host``, an address or a name, stands for; nothing when nobody knows."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(info[4][0]) for info in found]


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach ``host``."""
    found = addresses(host)
    return bool(found) and all(ipaddress.ip_address(address).is_loopback for address in found)
