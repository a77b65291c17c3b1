"""From our stable error codes to the numbers that these clients read."""

DONE = 0
INTERNAL = -1
NO_DATA = 700  # also: a wrong invitation code
TOKEN_INVALID = 2000
# Of each call's own making: nobody of this name to sign in, or an account to register that exists.
SPECIAL = 10000

# Clients act on the four numbers above; of all others they only show the sentence.
NUMBERS = {
    "not_registered": SPECIAL,
    "token_invalid": TOKEN_INVALID,
    "not_authenticated": TOKEN_INVALID,
    # the request
    "invalid_input": 300,
    "malformed_request": 301,
    "body_too_large": 302,
    "unsupported_media_type": 303,
    "permission_denied": 403,
    "not_found": 404,
    "unknown_app": 404,
    "method_not_allowed": 405,
    "rate_limited": 429,
    "service_unavailable": 503,
    # WeChat: its own errcode where there is one for it
    "wechat_code_invalid": 40029,
    "wechat_phone_code_invalid": 40029,
    "wechat_user_blocked": 40226,
    "wechat_rate_limited": 45011,
    "wechat_quota_exceeded": 45009,
    "wechat_scope_missing": 48001,
    "wechat_snapshot_user": 41100,
    "wechat_session_stale": 41101,
    "wechat_data_invalid": 41102,
    "wechat_reauthorize": 41103,
    "wechat_unavailable": 41104,
    "wechat_timeout": 41105,
    "wechat_config_error": 41106,
    "wechat_error": 41107,
    # the account
    "user_inactive": 11000,
    "fresh_sign_in_required": 11001,
    "identity_taken": 11002,
    "already_linked": 11003,
    "phone_taken": 11100,
    "phone_data_disabled": 11101,
    "phone_number_invalid": 11102,
    "phone_input_invalid": 11103,
    "phone_country_not_allowed": 11104,
    "phone_required": 11105,
    "sms_disabled": 11200,
    "sms_rate_limited": 11201,
    "sms_unavailable": 11202,
    "sms_refused": 11203,
    "sms_code_invalid": 11204,
    "picture_code_invalid": 11205,
    "password_login_failed": 11300,
    "password_refused": 11301,
    "too_many_attempts": 11302,
    "image_invalid": 11400,
    "already_registered": SPECIAL,
    "referrer_unknown": NO_DATA,
    "not_offered": 11500,
}


def number_of(code: str) -> int:
    """Return the number for one of our codes; ``INTERNAL`` for what these calls never meet."""
    return NUMBERS.get(code, INTERNAL)
