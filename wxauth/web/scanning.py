"""The code on the screen: shown, watched, and used once the phone has said yes."""

import asyncio
from collections.abc import AsyncIterator

import segno
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from wxauth import services
from wxauth.exceptions import NotFound, ScanInvalid, StoreUnavailable
from wxauth.scans import State
from wxauth.web import browser
from wxauth.web.framing import with_static
from wxauth.web.returning import return_address
from wxauth.web.views import BrowserView

SCRIPTED = (
    "default-src 'none'; script-src {static}; style-src {static}; img-src {static} data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

EXPIRED = "expired"
OPEN = {State.WAITING, State.SCANNED}
PAUSE = 0.5  # seconds between two looks into the cache
SILENCE = 15  # seconds after which proxies are shown that the connection lives


class ScanPage(BrowserView):
    """``scan/?next=``: a page with a new code that signs in."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        secret = browser.browser_secret(request) or browser.new_secret()
        shown = services.begin_scan(
            verifier=secret, device=browser.device(request, is_browser=True)
        )
        return show(request, shown, secret, template="wxauth/web/scan.html")


class ScanBind(BrowserView):
    """``scan/bind/?next=``: a page with a new code that links the phone's WeChat to the user."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        session = browser.own_session(request)
        secret = browser.browser_secret(request) or browser.new_secret()
        shown = services.begin_scan_to_link(
            session=session, verifier=secret, device=browser.device(request, is_browser=True)
        )
        return show(request, shown, secret, template="wxauth/web/scan_bind.html")


class ScanOpen(BrowserView):
    """``scan/open/<scan>/``: what the code says, for those who scan it with another app."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, scan: str) -> HttpResponse:
        return render(request, "wxauth/web/scan_open.html")


class ScanState(BrowserView):
    """``scan/state/?scan=``: how far it is, for the page that shows it."""

    throttle_group = "scan_state"  # who only waits must not use up what a way back needs
    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        secret, scan = browser.browser_secret(request), request.GET.get("scan", "")
        return JsonResponse({"state": read_state(secret, scan)})


class ScanEvents(BrowserView):
    """
    ``scan/events/?scan=``: the same as Server-Sent Events, one for each change, until the last.

    Under ASGI only, where an open connection is cheap: under WSGI it would hold a thread for two
    minutes.
    """

    throttle_group = ScanState.throttle_group
    http_method_names = ["get"]

    def get(self, request: HttpRequest) -> HttpResponseBase:
        if not isinstance(request, ASGIRequest):
            raise NotFound(reason="this server does not stream")
        secret, scan = browser.browser_secret(request), request.GET.get("scan", "")
        response = StreamingHttpResponse(watch(secret, scan), content_type="text/event-stream")
        response["X-Accel-Buffering"] = "no"  # nginx, and who has learned from it
        return response


class ScanCollect(BrowserView):
    """``scan/collect/``: sign the browser in. A POST with a CSRF token."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        secret = browser.browser_secret(request)
        if secret is None:
            raise ScanInvalid(reason="no browser of ours")
        result = services.collect_scan(
            verifier=secret,
            scan=request.POST.get("scan", ""),
            device=browser.device(request, is_browser=True),
        )
        browser.sign_in_browser(request, result.session)
        return JsonResponse({"next": return_address(request, request.POST.get("next"))})


def read_state(secret: str | None, scan: str) -> str:
    """Return how far the scan of this browser is; "expired" for everybody else's."""
    try:
        return services.read_scan(verifier=secret, scan=scan) if secret else EXPIRED
    except ScanInvalid:
        return EXPIRED


async def watch(secret: str | None, scan: str) -> AsyncIterator[str]:
    """Yield an event for each state, and a comment now and then, to the end of the scan."""
    last, quiet = "", 0.0
    while True:
        try:
            state = await sync_to_async(read_state)(secret, scan)
        except StoreUnavailable:
            return  # the page goes on by asking
        if state != last:
            last, quiet = state, 0.0
            yield f"data: {state}\n\n"
        elif quiet >= SILENCE:
            quiet = 0.0
            yield ":\n\n"
        if state not in OPEN:
            return
        await asyncio.sleep(PAUSE)
        quiet += PAUSE


def show(
    request: HttpRequest, shown: services.ShownScan, secret: str, *, template: str
) -> HttpResponse:
    """Return the page with this code, for the browser that holds ``secret``."""
    address = request.build_absolute_uri(
        reverse("wxauth_web:scan_open", kwargs={"scan": shown.scan})
    )
    context = {
        "code": segno.make_qr(address, error="m").svg_data_uri(scale=6, border=3),
        "scan": shown.scan,
        "expires_in": shown.expires_in,
        "has_events": isinstance(request, ASGIRequest),
        "next": return_address(request, request.GET.get("next")),
    }
    response = render(request, template, context)
    response["Content-Security-Policy"] = with_static(SCRIPTED)
    browser.remember_browser(request, response, secret)
    return response
