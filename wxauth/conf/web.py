"""The settings of web authorisation."""

from urllib.parse import urlsplit

from django.conf import settings

OPEN_BASE_URL = "https://open.weixin.qq.com"


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

    def is_return_address(self, address: str) -> bool:
        """Tell whether the address is on one of ``WXAUTH_RETURN_ORIGINS``."""
        if not address.isprintable() or "\\" in address:
            return False  # browsers read these as something else
        try:
            parts = urlsplit(address)
        except ValueError:
            return False
        return f"{parts.scheme}://{parts.netloc}" in self.return_origins
