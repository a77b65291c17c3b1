"""What ends a browser's session when ours is over."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from wxauth.web.browser import SID, session_of, sign_out_browser


class LoginSessionMiddleware:
    """
    Behind Django's ``AuthenticationMiddleware``: sign out whose ``LoginSession`` is over.

    So that signing out everywhere, a ban and a deletion count in browsers with the next request.
    One query, for browsers that were signed in by WeChat; none for all others.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SID in request.session and session_of(request) is None:
            sign_out_browser(request)
        return self.get_response(request)
