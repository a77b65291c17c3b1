"""Where a browser may be sent."""

from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, get_script_prefix, is_valid_path
from django.utils.http import url_has_allowed_host_and_scheme

from wxauth.conf import conf


def return_address(request: HttpRequest, wanted: str | None) -> str:
    """
    Return ``wanted`` if it is a page of this very host, or of ``WXAUTH_RETURN_ORIGINS``.

    Else the project's ``LOGIN_REDIRECT_URL``: ``ALLOWED_HOSTS`` may be ``["*"]`` and is no list of
    where people may be sent.
    """
    if wanted and (is_own_page(request, wanted) or conf.is_return_address(wanted)):
        return wanted
    return resolve_url(conf.login_redirect_url)


def is_own_page(request: HttpRequest, address: str) -> bool:
    """Tell whether this is a path of the site, or an address of the host that was asked."""
    return url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )


def login_address(request: HttpRequest) -> str | None:
    """Return the project's ``LOGIN_URL``, and back to this page; None when there is no such."""
    try:
        address = resolve_url(conf.login_url)
    except NoReverseMatch:
        return None
    parts = urlsplit(address)
    # The URLconf does not know below which path the site is served.
    path = parts.path.removeprefix(get_script_prefix().rstrip("/"))
    if not parts.netloc and not is_valid_path(path):
        return None
    if request.method != "GET":
        return address
    mark = "&" if "?" in address else "?"
    return f"{address}{mark}{urlencode({'next': request.get_full_path()})}"
