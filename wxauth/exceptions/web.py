"""What can go wrong between a browser's way to WeChat and its way back."""

from wxauth.exceptions.base import WxauthError, gettext_noop


class StateInvalid(WxauthError):
    """The state is unknown, expired, used, or of another browser, app or flow."""

    code = "state_invalid"
    status = 400
    detail = gettext_noop("This sign-in took too long, or was begun elsewhere.")
    action = "authorize"


class AuthorizationRefused(WxauthError):
    """WeChat sent the browser back without a code."""

    code = "authorization_refused"
    status = 403
    detail = gettext_noop("You have not allowed the sign-in.")
    action = "authorize"


class ReturnRefused(WxauthError):
    """``WXAUTH_RETURN_ORIGINS`` does not name the site to which the browser is to return."""

    code = "return_refused"
    status = 400
    detail = gettext_noop("Nobody is sent to that address from here.")
    action = "fix_request"


class ScanInvalid(WxauthError):
    """The code on the screen is unknown, expired or used, or not this browser's or phone's."""

    code = "scan_invalid"
    status = 400
    detail = gettext_noop("This code is no longer valid. Please show a new one.")
    action = "authorize"


class ScanTaken(WxauthError):
    """Somebody else has scanned this code before."""

    code = "scan_taken"
    status = 409
    detail = gettext_noop("Somebody else has scanned this code.")
    action = "stop"
