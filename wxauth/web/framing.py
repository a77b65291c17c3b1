"""What pages may load; pages in a frame: who may have them there, and the way out of it."""

from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.templatetags.static import static

BREAKING = (
    "default-src 'none'; script-src {static}; style-src {static}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


def with_static(policy: str) -> str:
    """Return the policy with where static files lie: on this site, or on a host of their own."""
    parts = urlsplit(static("wxauth/web/page.css"))
    origin = parts._replace(path="", query="", fragment="").geturl().removeprefix("//")
    return policy.replace("{static}", f"'self' {origin}".strip())


def is_framed(request: HttpRequest) -> bool:
    """Tell whether the answer is to be shown in a frame; browsers before 2023 may not say so."""
    return request.headers.get("Sec-Fetch-Dest") in {"iframe", "frame", "embed", "object"}


def allow_framing(response: HttpResponseBase, policy: str) -> None:
    """Let pages of this site, and no others, have this one in a frame. ``policy`` says so too."""
    response["Content-Security-Policy"] = policy
    response["X-Frame-Options"] = "SAMEORIGIN"  # else the host's middleware forbids it


def break_out(request: HttpRequest) -> HttpResponse:
    """Return a page that asks for the same address once more, in the whole window."""
    response = render(request, "wxauth/web/framed.html", {"address": request.get_full_path()})
    allow_framing(response, with_static(BREAKING))
    return response
