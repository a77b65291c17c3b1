"""What can go wrong with an account: linking, merging, text messages, passwords."""

from collections.abc import Mapping, Sequence
from typing import Any

from wxauth.exceptions.base import WxauthError, gettext_noop


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
