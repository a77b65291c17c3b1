"""What the client asked for, and cannot have."""

from collections.abc import Mapping
from typing import Any

from wxauth.exceptions.base import WxauthError, gettext_noop


class InvalidInput(WxauthError):
    """A field is missing, of the wrong type, or out of bounds."""

    code = "invalid_input"
    status = 400
    detail = gettext_noop("Some of the fields sent are missing or not valid.")
    action = "fix_request"


class UnknownApp(WxauthError):
    """No app of the kind that this call needs has the alias that was sent."""

    code = "unknown_app"
    status = 400
    detail = gettext_noop("There is no such app here.")
    action = "fix_request"


class NotRegistered(WxauthError):
    """WeChat has confirmed the person, who has no account yet."""

    code = "not_registered"
    status = 404
    detail = gettext_noop("You have not registered yet.")
    action = "register"

    def __init__(self, *, ticket: str | None) -> None:
        """Take the ticket with which the person can register; None when it could not be kept."""
        self.ticket = ticket
        super().__init__()

    def extra(self) -> Mapping[str, Any]:
        return {"ticket": self.ticket}


class TicketInvalid(WxauthError):
    """The ticket is unknown, expired, or used."""

    code = "ticket_invalid"
    status = 400
    detail = gettext_noop("This took too long. Please sign in again.")
    action = "login_again"


class UserInactive(WxauthError):
    """The account is switched off, and must not come in by any path."""

    code = "user_inactive"
    status = 403
    detail = gettext_noop("This account has been disabled.")
    action = "stop"

    def __init__(self, *, reason: str = "", user: Any = None) -> None:
        """Take the user, for the audit trail."""
        self.user = user
        super().__init__(reason=reason)


class TokenInvalid(WxauthError):
    """The token is not ours, expired, revoked, of the wrong kind, or its user is gone."""

    code = "token_invalid"
    status = 401
    detail = gettext_noop("Your sign-in has expired. Please sign in again.")
    action = "login_again"


class PhoneTaken(WxauthError):
    """Another user has already bound this number."""

    code = "phone_taken"
    status = 409
    detail = gettext_noop("This phone number belongs to another account.")
    action = "choose"

    def __init__(self, *, reason: str = "", ticket: str | None = None) -> None:
        """Take the ticket of a person without an account, who may register without the number."""
        self.ticket = ticket
        super().__init__(reason=reason)

    def extra(self) -> Mapping[str, Any]:
        choices = ["use_another_number", "sign_in_to_other_account"]
        if self.ticket is None:
            return {"choices": choices}
        return {"choices": [*choices, "register_without_number"], "ticket": self.ticket}


class PhoneDataDisabled(WxauthError):
    """``WXAUTH_PHONE_BY_ENCRYPTED_DATA`` is off: only the phone button's code is taken."""

    code = "phone_data_disabled"
    status = 403
    detail = gettext_noop("This way to bind a phone number is switched off.")
    action = "press_phone_button"


class PhoneNumberInvalid(WxauthError):
    """The number is not one that the international numbering plan knows."""

    code = "phone_number_invalid"
    status = 400
    detail = gettext_noop("This phone number is not valid.")
    action = "press_phone_button"


class FreshSignInRequired(WxauthError):
    """A risky change wants a sign-in of the last ten minutes."""

    code = "fresh_sign_in_required"
    status = 403
    detail = gettext_noop("Please sign in again before this change.")
    action = "login_again"


class StoreUnavailable(WxauthError):
    """The cache that holds what is short-lived does not answer."""

    code = "service_unavailable"
    status = 503
    detail = gettext_noop("The service is busy. Please try again in a moment.")
    action = "retry"

    def __init__(self, *, reason: str = "") -> None:
        super().__init__(reason=reason, retry_after=2)
