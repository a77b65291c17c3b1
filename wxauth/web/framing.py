"""Pages in a frame: who may have them there, and the way out of it."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

BREAKING = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


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
    allow_framing(response, BREAKING)
    return response
