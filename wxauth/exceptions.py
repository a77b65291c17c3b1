"""
Everything that can go wrong, one class for one stable code.

The class says what the client is told: ``code`` never changes, ``status`` is the HTTP status of
doors that speak HTTP, ``detail`` is a sentence for a person (translated where it is shown), and
``action`` is what the client should do. ``reason`` goes to the log and never to the client.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


def gettext_noop(message: str) -> str:
    """Mark a sentence for translation. Django's own would make this module depend on Django."""
    return message


class WxauthError(Exception):
    """The root: catch it to catch all of them."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    detail: ClassVar[str] = gettext_noop("Something went wrong.")
    action: ClassVar[str] = "stop"

    def __init__(
        self,
        *,
        reason: str = "",
        errcode: int | None = None,
        rid: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Take WeChat's ``errcode`` and ``rid`` where it spoke, and ``retry_after`` in seconds."""
        self.reason = reason
        self.errcode = errcode
        self.rid = rid
        self.retry_after = retry_after
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [self.code]
        if self.reason:
            parts.append(self.reason)
        if self.errcode is not None:
            parts.append(f"errcode {self.errcode}")
        if self.rid:
            parts.append(f"rid {self.rid}")
        return ", ".join(parts)

    def extra(self) -> Mapping[str, Any]:
        """Return what the error body holds beside the common keys."""
        return {}


# What the client asked for


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
    detail = gettext_noop("This registration took too long. Please sign in again.")
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


# Linking and unlinking, and one's own sessions


class IdentityTaken(WxauthError):
    """This WeChat account, by its openid or its unionid, belongs to another user."""

    code = "identity_taken"
    status = 409
    detail = gettext_noop("This WeChat account belongs to another account.")
    action = "choose"

    def extra(self) -> Mapping[str, Any]:
        return {"choices": ["use_another_wechat_account", "sign_in_to_other_account"]}


class AlreadyLinked(WxauthError):
    """The user has linked another WeChat account in this app."""

    code = "already_linked"
    status = 409
    detail = gettext_noop("Another WeChat account is linked already. Please unlink it first.")
    action = "choose"

    def extra(self) -> Mapping[str, Any]:
        return {"choices": ["unlink_first", "keep"]}


class LastSignInMethod(WxauthError):
    """Without this, the user could never sign in again."""

    code = "last_sign_in_method"
    status = 409
    detail = gettext_noop("This is your only way to sign in. Please add another one first.")
    action = "choose"

    def extra(self) -> Mapping[str, Any]:
        return {"choices": ["bind_phone", "bind_wechat"]}


class NotFound(WxauthError):
    """The user has nothing of that name or id; somebody else may."""

    code = "not_found"
    status = 404
    detail = gettext_noop("There is nothing here.")
    action = "fix_request"


# Merging two users


class MergeProofInvalid(WxauthError):
    """The other account is not proved: its access token is not good."""

    code = "merge_proof_invalid"
    status = 403
    detail = gettext_noop("Please sign in to the other account again.")
    action = "login_again"


class MergeRefused(WxauthError):
    """These two users may not be merged, or this merge cannot be done or undone any more."""

    code = "merge_refused"
    status = 409
    detail = gettext_noop("These accounts cannot be merged.")
    action = "stop"


class MergeRunning(WxauthError):
    """One of the two users is part of a merge that is running."""

    code = "merge_running"
    status = 409
    detail = gettext_noop("One of these accounts is just being merged. Please wait a moment.")
    action = "wait"

    def __init__(self, *, reason: str = "") -> None:
        super().__init__(reason=reason, retry_after=10)


# Text messages and passwords


class PhoneInputInvalid(WxauthError):
    """What a person has typed is no phone number."""

    code = "phone_input_invalid"
    status = 400
    detail = gettext_noop("This is not a phone number.")
    action = "correct_input"


class PhoneCountryNotAllowed(WxauthError):
    """``WXAUTH_SMS_COUNTRIES`` does not name the country of this number."""

    code = "phone_country_not_allowed"
    status = 400
    detail = gettext_noop("Text messages cannot be sent to this country.")
    action = "correct_input"


class SmsDisabled(WxauthError):
    """No ``WXAUTH_SMS_BACKEND`` is set."""

    code = "sms_disabled"
    status = 403
    detail = gettext_noop("Text messages are not available here.")
    action = "stop"


class SmsRateLimited(WxauthError):
    """The number has just got a message, or number, address or device got too many today."""

    code = "sms_rate_limited"
    status = 429
    detail = gettext_noop("Too many text messages. Please wait.")
    action = "wait"


class SmsUnavailable(WxauthError):
    """The provider of text messages cannot be reached, or is busy."""

    code = "sms_unavailable"
    status = 503
    detail = gettext_noop("The text message could not be sent. Please try again in a moment.")
    action = "retry"

    def __init__(self, *, reason: str = "", maybe_sent: bool = False) -> None:
        """Take whether the message may be on its way all the same, as after a timeout."""
        self.maybe_sent = maybe_sent
        super().__init__(reason=reason, retry_after=60 if maybe_sent else 5)


class SmsRefused(WxauthError):
    """The provider refuses to send: credentials, template, or balance. An operator must act."""

    code = "sms_refused"
    status = 502
    detail = gettext_noop("Text messages are not available at the moment.")
    action = "stop"


class SmsCodeInvalid(WxauthError):
    """The code of the text message is wrong, expired, used, or was guessed at too often."""

    code = "sms_code_invalid"
    status = 400
    detail = gettext_noop("This code is wrong or no longer valid.")
    action = "correct_input"


class PhoneRequired(WxauthError):
    """A password belongs to a phone number, and this user has none."""

    code = "phone_required"
    status = 409
    detail = gettext_noop("Please bind your phone number first.")
    action = "bind_phone"


class PasswordLoginFailed(WxauthError):
    """Number and password do not belong together, whatever the cause."""

    code = "password_login_failed"
    status = 400
    detail = gettext_noop("Phone number or password is wrong.")
    action = "correct_input"


class TooManyAttempts(WxauthError):
    """Too many passwords were tried for this number, or from this address, in this hour."""

    code = "too_many_attempts"
    status = 429
    detail = gettext_noop("Too many attempts. Please wait.")
    action = "wait"


class PasswordRefused(WxauthError):
    """The project's rules for passwords do not allow this one."""

    code = "password_refused"
    status = 400
    detail = gettext_noop("This password is not strong enough.")
    action = "correct_input"

    def __init__(self, *, messages: Sequence[str]) -> None:
        """Take what the rules say, for the person to read."""
        self.messages = list(messages)
        super().__init__()

    def extra(self) -> Mapping[str, Any]:
        return {"fields": {"password": self.messages}}


# What WeChat answered


class WechatError(WxauthError):
    """WeChat answered with an errcode that has no better class."""

    code = "wechat_error"
    status = 502
    detail = gettext_noop("WeChat refused the request.")
    action = "login_again"


class WechatCodeInvalid(WechatError):
    """A login or authorisation code is wrong, used, expired, or of another app."""

    code = "wechat_code_invalid"
    status = 400
    detail = gettext_noop("The WeChat sign-in code is no longer valid.")
    action = "login_again"


class WechatPhoneCodeInvalid(WechatError):
    """A phone code is wrong, used, expired, of another app, or of another person."""

    code = "wechat_phone_code_invalid"
    status = 400
    detail = gettext_noop("The phone number could not be read. Please press the button again.")
    action = "press_phone_button"


class WechatUserBlocked(WechatError):
    """WeChat refuses this person: high risk, restricted, frozen, or cancelled."""

    code = "wechat_user_blocked"
    status = 403
    detail = gettext_noop("WeChat does not let this account sign in.")
    action = "stop"


class WechatSnapshotUser(WechatError):
    """The page ran as a snapshot, with an identity that belongs to nobody."""

    code = "wechat_snapshot_user"
    status = 403
    detail = gettext_noop("Please leave the preview and open the full service to sign in.")
    action = "open_full_service"


class WechatScopeMissing(WechatError):
    """The person has not granted the scope that this call needs."""

    code = "wechat_scope_missing"
    status = 403
    detail = gettext_noop("Please allow access to your WeChat profile.")
    action = "authorize"


class WechatReauthorize(WechatError):
    """The person's grant is over: expired, or the WeChat password was changed."""

    code = "wechat_reauthorize"
    status = 401
    detail = gettext_noop("Your WeChat authorisation has ended. Please authorise again.")
    action = "authorize"


class WechatSessionStale(WechatError):
    """The session_key that we hold is not the one the data was made with, or is gone."""

    code = "wechat_session_stale"
    status = 409
    detail = gettext_noop("The WeChat session has been renewed. Please try once more.")
    action = "login_again"


class WechatDataInvalid(WechatError):
    """Data from the client is not what WeChat made for this person and app: perhaps an attack."""

    code = "wechat_data_invalid"
    status = 400
    detail = gettext_noop("The data from WeChat is not valid.")
    action = "stop"


class WechatRateLimited(WechatError):
    """WeChat's limit for this minute is reached."""

    code = "wechat_rate_limited"
    status = 429
    detail = gettext_noop("Too many attempts. Please wait a minute.")
    action = "wait"


class WechatQuotaExceeded(WechatError):
    """WeChat's quota for today is used up: an operator must act."""

    code = "wechat_quota_exceeded"
    status = 503
    detail = gettext_noop("Sign-in with WeChat is not available at the moment.")
    action = "wait"


class WechatUnavailable(WechatError):
    """WeChat is busy, cannot be reached, or answers something that is not JSON."""

    code = "wechat_unavailable"
    status = 503
    detail = gettext_noop("WeChat does not answer. Please try again.")
    action = "login_again"


class WechatTimeout(WechatError):
    """WeChat took too long. The code may have been spent."""

    code = "wechat_timeout"
    status = 504
    detail = gettext_noop("WeChat took too long to answer. Please try again.")
    action = "login_again"


class WechatConfigError(WechatError):
    """Secret, app id, address list or permissions are wrong: an operator must act."""

    code = "wechat_config_error"
    status = 500
    detail = gettext_noop("Sign-in with WeChat is not available at the moment.")
    action = "stop"
