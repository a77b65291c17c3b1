"""What WeChat answered."""

from wxauth.exceptions.base import WxauthError, gettext_noop


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
