"""In which language a request is answered."""

from django.http import HttpRequest
from django.utils import translation

from wxauth.conf import conf
from wxauth.exceptions import WxauthError

SOURCE = "en"
# Who reads traditional characters would rather read simplified ones than English.
NEAREST = {"zh-hant": "zh-hans"}


def language_of(request: HttpRequest) -> str:
    """
    Return the language of ``Accept-Language`` if our sentences exist in it, else the default one.

    By the request itself: not every project has LocaleMiddleware. And one language per answer:
    DRF speaks more of them than we do.
    """
    language = translation.get_language_from_request(request)
    default = _default()
    for choice in (language, NEAREST.get(language, "")):
        if choice and (choice == default or _is_spoken(choice, instead_of=default)):
            return choice
    return default


def _default() -> str:
    try:
        return translation.get_supported_language_variant(conf.language_code)
    except LookupError:  # as Django does when LANGUAGES has no such thing
        return conf.language_code


def _is_spoken(language: str, *, instead_of: str) -> bool:
    if language.split("-")[0] == SOURCE:
        return True
    # A language without our sentences says them in the default one, or in English.
    return _say(language) not in (_say(instead_of), WxauthError.detail)


def _say(language: str) -> str:
    with translation.override(language):
        return translation.gettext(WxauthError.detail)
