"""The settings of signing in with a browser, and of what WeChat's web authorisation brings."""

from django.conf import settings

OPEN_BASE_URL = "https://open.weixin.qq.com"


class WebSettings:
    """Where browsers are sent, where they may return to, and what is kept of them."""

    @property
    def open_base_url(self) -> str:
        """``WXAUTH_OPEN_BASE_URL``: where WeChat's pages for browsers are, no trailing slash."""
        return str(getattr(settings, "WXAUTH_OPEN_BASE_URL", OPEN_BASE_URL)).rstrip("/")

    @property
    def return_origins(self) -> list[str]:
        """
        ``WXAUTH_RETURN_ORIGINS``: origins to which a browser may be sent back after signing in.

        ``https://shop.example.com``, beside the site's own pages.
        """
        return getattr(settings, "WXAUTH_RETURN_ORIGINS", [])

    @property
    def keep_provider_tokens(self) -> bool:
        """``WXAUTH_KEEP_PROVIDER_TOKENS``: keep, encrypted, what sns/oauth2 answers."""
        return bool(getattr(settings, "WXAUTH_KEEP_PROVIDER_TOKENS", False))

    @property
    def avatar_hosts(self) -> list[str]:
        """
        ``WXAUTH_AVATAR_HOSTS``: hosts from which avatars are copied into the default storage.

        ``.qlogo.cn`` stands for all below it. Empty: their addresses are kept and nothing fetched.
        """
        return getattr(settings, "WXAUTH_AVATAR_HOSTS", [])
