"""What ends a browser's session when ours is over, and ours when the browser has left it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from wxauth import services
from wxauth.web.browser import SID, session_of, sign_out_browser


class LoginSessionMiddleware:
    """
    Behind Django's ``AuthenticationMiddleware``: sign out whose ``LoginSession`` is over.

    So that signing out everywhere, a ban and a deletion count in browsers with the next request.
    One query, for browsers that were signed in by WeChat; none for all others. And when somebody
    else signs in there, the session before is over, of which Django's ``login`` tells nobody.

    Who changes their own password in this browser stays signed in here, as Django has it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        session = session_of(request)
        if session is None and SID in request.session:
            sign_out_browser(request)
        with services.keeping_session(None if session is None else session.id):
            response = self.get_response(request)
        if session is not None and request.session.get(SID) != session.id.hex:
            services.logout(session=session)
        return response
