"""What only the clients of API工厂 are told."""

from wxauth.exceptions.base import WxauthError, gettext_noop


class AlreadyRegistered(WxauthError):
    """There is an account for this person, or this number, and nothing was changed."""

    code = "already_registered"
    status = 409
    detail = gettext_noop("You have registered already. Please sign in.")
    action = "login_again"


class ReferrerUnknown(WxauthError):
    """Nobody has this uid or invite code."""

    code = "referrer_unknown"
    status = 404
    detail = gettext_noop("There is no such invitation code.")
    action = "correct_input"


class PictureCodeInvalid(WxauthError):
    """What was read off the picture is wrong, or the picture is old or was guessed at."""

    code = "picture_code_invalid"
    status = 400
    detail = gettext_noop("This is not what the picture says. Please try the new one.")
    action = "correct_input"


class ImageInvalid(WxauthError):
    """The upload is no picture that we take, or too large."""

    code = "image_invalid"
    status = 400
    detail = gettext_noop("This is not a picture that can be used, or it is too large.")
    action = "correct_input"


class NotOffered(WxauthError):
    """The call belongs to the contract, to a part of it that is not here."""

    code = "not_offered"
    status = 501
    detail = gettext_noop("This is not available here.")
    action = "stop"
