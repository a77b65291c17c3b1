"""WeChat's QR code inside a page of ours, which a page of the host may have in a frame in turn."""

from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import translation

from wxauth import oauth_states
from wxauth.conf import AppKind, conf
from wxauth.web import browser
from wxauth.web.framing import allow_framing, with_static
from wxauth.web.returning import return_address
from wxauth.web.views import BrowserView, depart, flow_of
from wxauth.wechat.oauth import embedded_url

EARLY = 30  # seconds; before the state ends, the page is shown anew


class EmbedPage(BrowserView):
    """``embed/<alias>/?next=&flow=``: a page with WeChat's QR code, for websites."""

    http_method_names = ["get", "head"]
    breaks_out = False
    kinds = (AppKind.WEBSITE,)

    def get(self, request: HttpRequest, alias: str) -> HttpResponse:
        flow, address = flow_of(request), return_address(request, request.GET.get("next"))
        departure = depart(request, alias, flow=flow, facts={"next": address})
        context = {
            "frame": embedded_url(
                departure.app,
                redirect_uri=departure.redirect_uri,
                state=departure.state,
                language=translation.get_language(),
            ),
            "again": self.start_again(),
        }
        response = render(request, "wxauth/web/embed.html", context)
        browser.remember_browser(request, response, departure.secret)
        response["Refresh"] = str(oauth_states.TTL - EARLY)
        return response

    def protect(self, response: HttpResponseBase) -> None:
        """Let it be in a frame of this site, its failures too: they are shown in the same place."""
        allow_framing(response, policy())

    def start_again(self) -> str | None:
        """Return this page's own address, if there is a code to show."""
        return None if super().start_again() is None else self.request.get_full_path()


def policy() -> str:
    """
    Return the page's Content-Security-Policy: WeChat's page in a frame, and this page in ours.

    Frames of this site are allowed as well, for a way back that ends in the frame all the same.
    """
    parts = urlsplit(conf.open_base_url)
    return with_static(
        "default-src 'none'; style-src {static}; img-src {static} data:; "
        f"frame-src 'self' {parts.scheme}://{parts.netloc}; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    )
