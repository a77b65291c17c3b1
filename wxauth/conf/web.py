"""The settings of web authorisation."""

import ipaddress
from urllib.parse import urlsplit

from django.conf import settings

OPEN_BASE_URL = "https://open.weixin.qq.com"
MAX_ADDRESS = 2048  # characters: as many as Django takes of an address on the own host


class WebSettings:
    """Where browsers are sent, and where they may return to."""

    @property
    def open_base_url(self) -> str:
        """``WXAUTH_OPEN_BASE_URL``: where WeChat's pages for browsers are, no trailing slash."""
        return str(getattr(settings, "WXAUTH_OPEN_BASE_URL", OPEN_BASE_URL)).rstrip("/")

    @property
    def return_origins(self) -> list[str]:
        """
        ``WXAUTH_RETURN_ORIGINS``: other sites to which a browser may be sent back.

        Origins: ``https://shop.example.com``.
        """
        return getattr(settings, "WXAUTH_RETURN_ORIGINS", [])

    @property
    def keep_provider_tokens(self) -> bool:
        """``WXAUTH_KEEP_PROVIDER_TOKENS``: keep what people grant over the web, encrypted."""
        return bool(getattr(settings, "WXAUTH_KEEP_PROVIDER_TOKENS", False))

    @property
    def avatar_hosts(self) -> list[str]:
        """
        ``WXAUTH_AVATAR_HOSTS``: hosts whose pictures are copied; ``.qlogo.cn`` is all below that.

        Empty: nothing is fetched.
        """
        return getattr(settings, "WXAUTH_AVATAR_HOSTS", [])

    def is_avatar_host(self, host: str) -> bool:
        """Tell whether pictures are copied from this host, whose name is in small letters."""
        return any(
            host.endswith(entry) if entry.startswith(".") else host == entry
            for entry in self.avatar_hosts
            if host and entry
        )

    @staticmethod
    def is_this_machine(host: str) -> bool:
        """Tell whether this is a name or an address of the machine itself."""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    def is_return_address(self, address: str) -> bool:
        """Tell whether the address is on one of ``WXAUTH_RETURN_ORIGINS``."""
        if len(address) > MAX_ADDRESS or not address.isprintable() or "\\" in address:
            return False  # browsers read the latter two as something else
        try:
            parts = urlsplit(address)
        except ValueError:
            return False
        return f"{parts.scheme}://{parts.netloc}" in self.return_origins
