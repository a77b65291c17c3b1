"""The code on the screen: shown, watched, and used once the phone has said yes."""

import segno
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse

from wxauth import services
from wxauth.exceptions import ScanInvalid
from wxauth.web import browser
from wxauth.web.returning import return_address
from wxauth.web.views import BrowserView

SCRIPTED = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class ScanPage(BrowserView):
    """``scan/?next=``: a page with a new code."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest) -> HttpResponse:
        secret = browser.browser_secret(request) or browser.new_secret()
        shown = services.begin_scan(
            verifier=secret, device=browser.device(request, is_browser=True)
        )
        address = request.build_absolute_uri(
            reverse("wxauth_web:scan_open", kwargs={"scan": shown.scan})
        )
        context = {
            "code": segno.make_qr(address, error="m").svg_data_uri(scale=6, border=3),
            "scan": shown.scan,
            "expires_in": shown.expires_in,
            "next": return_address(request, request.GET.get("next")),
        }
        response = render(request, "wxauth/web/scan.html", context)
        response["Content-Security-Policy"] = SCRIPTED
        browser.remember_browser(request, response, secret)
        return response


class ScanOpen(BrowserView):
    """``scan/open/<scan>/``: what the code says, for those who scan it with another app."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest, scan: str) -> HttpResponse:
        return render(request, "wxauth/web/scan_open.html")


class ScanState(BrowserView):
    """``scan/state/?scan=``: how far it is, for the page that shows it."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest) -> HttpResponse:
        secret = browser.browser_secret(request)
        try:
            if secret is None:
                raise ScanInvalid(reason="no browser of ours")
            state = services.read_scan(verifier=secret, scan=request.GET.get("scan", ""))
        except ScanInvalid:
            return JsonResponse({"state": "expired"})
        return JsonResponse({"state": state})


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
