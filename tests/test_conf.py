"""Each setting: its default, what a project makes of it, and what nonsense does."""

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests import settings as host
from tests import settings as test_settings
from wxauth import erasure, users
from wxauth.conf import AppKind, Conf, WechatApp, build_app, conf
from wxauth.conf.sms import ATTEMPT_LIMITS
from wxauth.exceptions import UnknownApp
from wxauth.sms.console import ConsoleSender

pytestmark = pytest.mark.static

SECRET = "a-secret-that-no-text-may-show"
APP = {"app_id": "wx0", "app_secret": SECRET}

# property: its setting, its default, a value a project may set, and what is read then
MAKE_USER = f"{__name__}.make_user"
SETTINGS = {
    "api_base_url": (
        "WXAUTH_API_BASE_URL",
        "https://api.weixin.qq.com",
        "http://127.0.0.1:8001/",
        "http://127.0.0.1:8001",
    ),
    "timeouts": ("WXAUTH_TIMEOUTS", (3.0, 5.0), [1, "2.5"], (1.0, 2.5)),
    "cache": ("WXAUTH_CACHE", "default", "other", "other"),
    "session_key_ttl": (
        "WXAUTH_SESSION_KEY_TTL",
        timedelta(hours=2),
        timedelta(hours=1),
        timedelta(hours=1),
    ),
    "encryption_secrets": ("WXAUTH_ENCRYPTION_KEYS", [host.SECRET_KEY], ["a", "b"], ["a", "b"]),
    "refresh_grace": (
        "WXAUTH_REFRESH_GRACE",
        timedelta(seconds=30),
        timedelta(seconds=5),
        timedelta(seconds=5),
    ),
    "referral_depth": ("WXAUTH_REFERRAL_DEPTH", 3, 5, 5),
    "phone_by_encrypted_data": ("WXAUTH_PHONE_BY_ENCRYPTED_DATA", True, 0, False),
    "throttle_rates": (
        "WXAUTH_THROTTLE_RATES",
        {"address": "600/min", "person": "60/min"},
        {"person": None},
        {"address": "600/min", "person": None},
    ),
    "deletion_delay": (
        "WXAUTH_DELETION_DELAY",
        timedelta(days=15),
        timedelta(0),
        timedelta(0),
    ),
    "erase_user": ("WXAUTH_ERASE_USER", erasure.anonymise, "wxauth.erasure.erase", erasure.erase),
    "create_user": ("WXAUTH_CREATE_USER", users.create_user, MAKE_USER, None),
    "sms_backend": (
        "WXAUTH_SMS_BACKEND",
        None,
        "wxauth.sms.console.ConsoleSender",
        ConsoleSender,
    ),
    "sms_options": ("WXAUTH_SMS_OPTIONS", {}, {"path": "x"}, {"path": "x"}),
    "sms_countries": ("WXAUTH_SMS_COUNTRIES", ["86"], ["852"], ["852"]),
    "attempt_limits": (
        "WXAUTH_ATTEMPT_LIMITS",
        ATTEMPT_LIMITS,
        {"sms_number": None},
        {**ATTEMPT_LIMITS, "sms_number": None},
    ),
    "open_base_url": (
        "WXAUTH_OPEN_BASE_URL",
        "https://open.weixin.qq.com",
        "http://127.0.0.1:9/",
        "http://127.0.0.1:9",
    ),
    "return_origins": ("WXAUTH_RETURN_ORIGINS", [], ["https://a.example"], ["https://a.example"]),
    "keep_provider_tokens": ("WXAUTH_KEEP_PROVIDER_TOKENS", False, True, True),
    "avatar_hosts": ("WXAUTH_AVATAR_HOSTS", [], [".qlogo.cn"], [".qlogo.cn"]),
    "append_slash": ("APPEND_SLASH", True, False, False),
    "login_url": ("LOGIN_URL", "/accounts/login/", "/sign-in/", "/sign-in/"),
    "login_redirect_url": ("LOGIN_REDIRECT_URL", "/accounts/profile/", "/home/", "/home/"),
    "apifactory_apps": ("WXAUTH_APIFACTORY_APPS", {}, {"tz": "mall"}, {"tz": "mall"}),
    "apifactory_token_lifetime": (
        "WXAUTH_APIFACTORY_TOKEN_LIFETIME",
        timedelta(days=90),
        timedelta(days=1),
        timedelta(days=1),
    ),
    "apifactory_user_detail": (
        "WXAUTH_APIFACTORY_USER_DETAIL",
        None,
        MAKE_USER,
        None,
    ),
    "apifactory_config": ("WXAUTH_APIFACTORY_CONFIG", {}, {"a": "1"}, {"a": "1"}),
    "update_last_login": ("SIMPLE_JWT", False, {"UPDATE_LAST_LOGIN": True}, True),
    "user_model": ("AUTH_USER_MODEL", "auth.User", "host.User", "host.User"),
    "middleware": ("MIDDLEWARE", test_settings.MIDDLEWARE, ["a.B"], ["a.B"]),
    "session_cookie_samesite": ("SESSION_COOKIE_SAMESITE", "Lax", "Strict", "Strict"),
    "language_code": ("LANGUAGE_CODE", "en-us", "zh-hans", "zh-hans"),
    "debug": ("DEBUG", False, True, True),
}
NOT_IN_TABLE = {"apps", "apps_loader", "tokens"}  # they have tests of their own


def make_user():
    """A host's own."""


def load_apps():
    return {"loaded": APP}


# Each setting


@pytest.mark.parametrize("name", SETTINGS)
def test_setting_that_is_absent_has_its_default(settings, name):
    setting, default, _value, _read = SETTINGS[name]
    if setting.startswith("WXAUTH_") and hasattr(settings, setting):
        delattr(settings, setting)

    assert getattr(conf, name) == default


@pytest.mark.parametrize("name", SETTINGS)
def test_setting_that_is_given_is_read_live(settings, name):
    setting, default, value, read = SETTINGS[name]
    if name == "sms_backend":
        settings.WXAUTH_SMS_BACKEND = None
    assert getattr(conf, name) == default

    setattr(settings, setting, value)

    assert getattr(conf, name) == (make_user if value == MAKE_USER else read)


def test_every_property_is_tested_here():
    properties = {name for name in dir(Conf) if isinstance(getattr(Conf, name), property)}

    assert properties == SETTINGS.keys() | NOT_IN_TABLE


@pytest.mark.parametrize("value", [5, None, (1, 2, 3), ("three", 5), (3, None)])
def test_nonsense_timeouts_raise(settings, value):
    settings.WXAUTH_TIMEOUTS = value

    with pytest.raises((TypeError, ValueError)):
        _ = conf.timeouts


@pytest.mark.parametrize("value", ["no.such.function", "nothing", ""])
def test_create_user_that_is_not_there_raises(settings, value):
    settings.WXAUTH_CREATE_USER = value

    with pytest.raises(ImportError):
        _ = conf.create_user


def test_fallbacks_of_the_secret_key_decrypt_too(settings):
    settings.SECRET_KEY_FALLBACKS = ["older", "oldest"]

    assert conf.encryption_secrets == [host.SECRET_KEY, "older", "oldest"]


def test_encryption_keys_leave_the_secret_key_out(settings):
    settings.SECRET_KEY_FALLBACKS = ["older"]
    settings.WXAUTH_ENCRYPTION_KEYS = ["own"]

    assert conf.encryption_secrets == ["own"]


# Apps


def test_one_app_can_be_two_settings(settings):
    settings.WXAUTH_APPS = {}
    settings.WXAUTH_APP_ID, settings.WXAUTH_APP_SECRET = "wx0", SECRET

    assert conf.apps == {
        "default": WechatApp(
            alias="default",
            kind=AppKind.MINI_PROGRAM,
            app_id="wx0",
            app_secret=SECRET,
            union_scope="default",
        )
    }


def test_two_settings_do_not_count_beside_several_apps(settings):
    settings.WXAUTH_APPS = {"mall": APP}
    settings.WXAUTH_APP_ID, settings.WXAUTH_APP_SECRET = "wx9", SECRET

    assert [app.app_id for app in conf.apps.values()] == ["wx0"]


@pytest.mark.parametrize("value", [None, {}, "", []])
def test_no_apps_are_none(settings, value):
    settings.WXAUTH_APPS = value

    assert conf.apps == {}
    assert conf.apps_loader is None


def test_apps_can_be_kept_elsewhere(settings):
    settings.WXAUTH_APPS = f"{__name__}.load_apps"

    assert conf.apps_loader is load_apps
    assert conf.app("loaded").app_id == "wx0"


def test_apps_elsewhere_that_are_not_there_raise(settings):
    settings.WXAUTH_APPS = "no.such.function"

    with pytest.raises(ImportError):
        _ = conf.apps


@pytest.mark.parametrize(
    "entry",
    [
        {"app_id": "wx0"},
        {"app_secret": SECRET},
        {**APP, "app_id": ""},
        {**APP, "app_id": 5},
        {**APP, "app_secret": b"bytes"},
        {**APP, "union_scope": 5},
        {**APP, "kind": "mini-program"},
        {**APP, "kind": None},
        {**APP, "appsecret": SECRET},
        {**APP, 5: SECRET},
        SECRET,
        None,
        [APP],
    ],
    ids=repr,
)
def test_malformed_entry_raises_without_its_secret(entry):
    with pytest.raises(ImproperlyConfigured) as caught:
        build_app("mall", entry)

    assert "'mall'" in str(caught.value)
    assert SECRET not in str(caught.value)
    # A text is a set of letters, too.
    assert ", ".join(sorted(set(SECRET))) not in str(caught.value)


@pytest.mark.parametrize("value", [[APP], 5, {APP["app_id"]}])
def test_apps_that_are_no_dict_raise(settings, value):
    settings.WXAUTH_APPS = value

    with pytest.raises(ImproperlyConfigured):
        _ = conf.apps


@pytest.mark.parametrize("scope", [None, ""])
def test_scope_that_is_empty_is_the_default_one(scope):
    assert build_app("mall", {**APP, "union_scope": scope}).union_scope == "default"


def test_app_shows_its_secret_to_nobody():
    app = build_app("mall", APP)

    assert app.app_secret == SECRET
    for text in (repr(app), str(app), f"{app}", repr({"mall": app}), repr([app])):
        assert SECRET not in text
        assert "wx0" in text


# Which app


def test_default_app_is_the_first():
    assert conf.app().alias == "default"
    assert conf.app(None) == conf.app("default")


def test_default_app_is_the_first_of_its_kind(settings):
    settings.WXAUTH_APPS = {
        "site": {**APP, "kind": "website"},
        "mall": {**APP, "app_id": "wx1"},
        "cafe": {**APP, "app_id": "wx2"},
    }

    assert conf.app().alias == "site"
    assert conf.app(kind=AppKind.MINI_PROGRAM).alias == "mall"
    assert conf.app(kind=AppKind.WEBSITE).alias == "site"


def test_app_is_found_by_alias():
    assert conf.app("second").app_id == "wx1b2c3d4e5f607182"
    assert conf.app("site", kind=AppKind.WEBSITE).alias == "site"


@pytest.mark.parametrize("alias", ["", "nowhere", "wx0a1b2c3d4e5f6071", "DEFAULT", 5, "\0"])
def test_unknown_alias_is_no_app(alias):
    with pytest.raises(UnknownApp):
        conf.app(alias)


def test_app_of_another_kind_is_no_app():
    with pytest.raises(UnknownApp):
        conf.app("site", kind=AppKind.MINI_PROGRAM)
    with pytest.raises(UnknownApp):
        conf.app(kind=AppKind.OFFICIAL_ACCOUNT)


def test_without_apps_there_is_no_default(settings):
    settings.WXAUTH_APPS = {}

    with pytest.raises(UnknownApp):
        conf.app()


# Tokens


def test_tokens_have_our_defaults():
    tokens = conf.tokens

    assert tokens.access_lifetime == timedelta(minutes=30)
    assert tokens.refresh_lifetime == timedelta(days=30)
    assert (tokens.algorithm, tokens.signing_key) == ("HS256", host.SECRET_KEY)
    assert (tokens.issuer, tokens.audience) == ("wxauth", "wxauth")
    assert (tokens.verifying_key, tokens.leeway) == ("", 0)


def test_tokens_are_made_as_simple_jwt_says(settings):
    settings.SIMPLE_JWT = {
        "ACCESS_TOKEN_LIFETIME": timedelta(minutes=1),
        "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
        "ALGORITHM": "RS256",
        "SIGNING_KEY": SECRET,
        "VERIFYING_KEY": "public",
        "ISSUER": "host",
        "AUDIENCE": ["one", "two"],
        "LEEWAY": 5,
    }
    tokens = conf.tokens

    assert tokens.access_lifetime == timedelta(minutes=1)
    assert tokens.refresh_lifetime == timedelta(days=1)
    assert (tokens.algorithm, tokens.signing_key) == ("RS256", SECRET)
    assert (tokens.issuer, tokens.audience) == ("host", ("one", "two"))
    assert (tokens.verifying_key, tokens.leeway) == ("public", 5)


def test_issuer_and_audience_are_never_absent(settings):
    settings.SIMPLE_JWT = {"ISSUER": None, "AUDIENCE": None}

    assert (conf.tokens.issuer, conf.tokens.audience) == ("wxauth", "wxauth")


def test_token_settings_show_no_key(settings):
    settings.SIMPLE_JWT = {"SIGNING_KEY": SECRET, "VERIFYING_KEY": SECRET}

    assert SECRET not in repr(conf.tokens)


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("pictures.example", True),
        ("evilpictures.example", False),
        ("a.pictures.example", False),
        ("thirdwx.qlogo.cn", True),
        ("qlogo.cn", False),
        ("evilqlogo.cn", False),
        ("", False),
    ],
)
def test_avatar_host_without_a_dot_is_that_one_alone(settings, host: str, is_one: bool) -> None:
    settings.WXAUTH_AVATAR_HOSTS = ["pictures.example", ".qlogo.cn", ""]
    assert conf.is_avatar_host(host) is is_one
