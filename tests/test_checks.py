"""What ``manage.py check`` says: each id where something is wrong, nothing where all is well."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core import checks as django_checks
from django.core.cache import BaseCache
from django.core.management import call_command
from django.db import DatabaseError, connections

from wxauth import checks
from wxauth.backends import WechatBackend
from wxauth.conf.sms import SMS_CONSOLE as CONSOLE
from wxauth.sms.base import SmsSender

pytestmark = pytest.mark.static

LOCMEM = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
DUMMY = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
SHARED = {"BACKEND": f"{__name__}.SharedCache"}
REDIS = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
SECRET = "a-secret-that-no-message-may-show"
APP = {"app_id": "wx0", "app_secret": SECRET}
LONG = "k" * 64
PUSH = {"push_token": "made-up"}
SHORT = {"push_aes_key": "k" * 42}


class SharedCache(BaseCache):
    """Stands for a cache that is neither of one process nor of none."""

    def __init__(self, location, params):
        super().__init__(params)

    def clear(self):
        pass


class HostSender(SmsSender):
    """A host's own."""

    def __init__(self, *, key):
        self._key = key


class HostBackend(WechatBackend):
    """A host's own."""


def load_apps():
    return {"default": APP}


def load_twins():
    return {"one": APP, "two": APP}


def load_nonsense():
    return [SECRET]


def load_from_missing_table():
    raise DatabaseError(f"no such table, and {SECRET}")


def create_nothing():
    """Stands for a callable."""


WEBSITE = {"WXAUTH_APPS": {"site": {**APP, "kind": "website"}}}
SIMULATED = {"WXAUTH_API_BASE_URL": "http://127.0.0.1:8001"}
HERE = __name__
urlpatterns = []  # of a site that has none of our pages
NOT_CALLABLE = f"{HERE}.SECRET"
WRONG = {
    "no credentials": ("E001", {"WXAUTH_APPS": {}}),
    "apps is none": ("E001", {"WXAUTH_APPS": None}),
    "id without secret": ("E002", {"WXAUTH_APPS": {}, "WXAUTH_APP_ID": "wx0"}),
    "secret without id": ("E002", {"WXAUTH_APPS": {}, "WXAUTH_APP_SECRET": SECRET}),
    "unknown kind": ("E002", {"WXAUTH_APPS": {"a": {**APP, "kind": "mini_programme"}}}),
    "kind is a list": ("E002", {"WXAUTH_APPS": {"a": {**APP, "kind": [1]}}}),
    "key for pushes is too short": ("E002", {"WXAUTH_APPS": {"a": {**APP, **PUSH, **SHORT}}}),
    "key for pushes is a number": ("E002", {"WXAUTH_APPS": {"a": {**APP, "push_token": 1}}}),
    "key for pushes without a token": (
        "E002",
        {"WXAUTH_APPS": {"a": {**APP, "push_aes_key": "k" * 43}}},
    ),
    "deletion delay is a number": ("E051", {"WXAUTH_DELETION_DELAY": 15}),
    "deletion delay is negative": ("E051", {"WXAUTH_DELETION_DELAY": timedelta(days=-1)}),
    "token lifetime is a number": ("E011", {"WXAUTH_APIFACTORY_TOKEN_LIFETIME": 90}),
    "sub domain of no app": ("E053", {"WXAUTH_APIFACTORY_APPS": {"tz": "nobody"}}),
    "sub domain of a website": (
        "E053",
        {**WEBSITE, "WXAUTH_APIFACTORY_APPS": {"tz": "site"}},
    ),
    "sub domains are a list": ("E053", {"WXAUTH_APIFACTORY_APPS": ["tz"]}),
    "blocks are not there": ("E054", {"WXAUTH_APIFACTORY_USER_DETAIL": f"{HERE}.missing"}),
    "blocks cannot be called": ("E054", {"WXAUTH_APIFACTORY_USER_DETAIL": NOT_CALLABLE}),
    "configuration is a list": ("E054", {"WXAUTH_APIFACTORY_CONFIG": ["a"]}),
    "eraser is not there": ("E052", {"WXAUTH_ERASE_USER": f"{HERE}.missing"}),
    "eraser is none": ("E052", {"WXAUTH_ERASE_USER": None}),
    "eraser cannot be called": ("E052", {"WXAUTH_ERASE_USER": NOT_CALLABLE}),
    "unknown key": ("E002", {"WXAUTH_APPS": {"a": {**APP, "appid": "wx0"}}}),
    "key is no text": ("E002", {"WXAUTH_APPS": {"a": {**APP, 1: 2}}}),
    "flat apps": ("E002", {"WXAUTH_APPS": APP}),
    "apps is a list": ("E002", {"WXAUTH_APPS": [APP]}),
    "entry is none": ("E002", {"WXAUTH_APPS": {"a": None}}),
    "id is a number": ("E002", {"WXAUTH_APPS": {"a": {**APP, "app_id": 5}}}),
    "scope is a number": ("E002", {"WXAUTH_APPS": {"a": {**APP, "union_scope": 5}}}),
    "alias is a number": ("E002", {"WXAUTH_APPS": {5: APP}}),
    "function returns nonsense": ("E002", {"WXAUTH_APPS": f"{HERE}.load_nonsense"}),
    "path of nothing": ("E003", {"WXAUTH_APPS": f"{HERE}.nothing"}),
    "path is no path": ("E003", {"WXAUTH_APPS": "{}"}),
    "path of a text": ("E003", {"WXAUTH_APPS": NOT_CALLABLE}),
    "app_id twice": ("E004", {"WXAUTH_APPS": {"a": APP, "b": {**APP, "kind": "website"}}}),
    "app_id twice by function": ("E004", {"WXAUTH_APPS": f"{HERE}.load_twins"}),
    "function raises": ("W006", {"WXAUTH_APPS": f"{HERE}.load_from_missing_table"}),
    "function raises, debug": (
        "W006",
        {"WXAUTH_APPS": f"{HERE}.load_from_missing_table", "DEBUG": True},
    ),
    "url without scheme": ("E005", {"WXAUTH_API_BASE_URL": "api.weixin.qq.com"}),
    "url without host": ("E005", {"WXAUTH_API_BASE_URL": "https://"}),
    "url with bad port": ("E005", {"WXAUTH_API_BASE_URL": "https://example.com:port"}),
    "url with bad address": ("E005", {"WXAUTH_API_BASE_URL": "https://[::1"}),
    "url of a file": ("E005", {"WXAUTH_API_BASE_URL": "file://host/x"}),
    "url is none": ("E005", {"WXAUTH_API_BASE_URL": None}),
    "plain http": ("E006", {"WXAUTH_API_BASE_URL": f"http://me:{SECRET}@proxy.example.com"}),
    "simulator": ("W002", {"WXAUTH_API_BASE_URL": "http://127.0.0.1:8001"}),
    "simulator by name": ("W002", {"WXAUTH_API_BASE_URL": "http://localhost:8001/"}),
    "simulator on ipv6": ("W002", {"WXAUTH_API_BASE_URL": "http://[::1]:8001"}),
    "page without scheme": ("E031", {"WXAUTH_OPEN_BASE_URL": "open.weixin.qq.com"}),
    "page without host": ("E031", {"WXAUTH_OPEN_BASE_URL": "https://"}),
    "page of a file server": ("E031", {"WXAUTH_OPEN_BASE_URL": "ftp://127.0.0.1"}),
    "page is none": ("E031", {"WXAUTH_OPEN_BASE_URL": None}),
    "page with bad port": ("E031", {"WXAUTH_OPEN_BASE_URL": "https://a.example:b"}),
    "page by http": ("E031", {"WXAUTH_OPEN_BASE_URL": "http://pages.example.com"}),
    "origins is a text": ("E035", {"WXAUTH_RETURN_ORIGINS": "https://a.example"}),
    "origins is none": ("E035", {"WXAUTH_RETURN_ORIGINS": None}),
    "origin without scheme": ("E035", {"WXAUTH_RETURN_ORIGINS": ["a.example"]}),
    "origin without host": ("E035", {"WXAUTH_RETURN_ORIGINS": ["https://"]}),
    "origin of a file server": ("E035", {"WXAUTH_RETURN_ORIGINS": ["ftp://a.example"]}),
    "origin with bad port": ("E035", {"WXAUTH_RETURN_ORIGINS": ["https://a.example:b"]}),
    "origin with a slash": ("E035", {"WXAUTH_RETURN_ORIGINS": ["https://a.example/"]}),
    "origin with a path": ("E035", {"WXAUTH_RETURN_ORIGINS": ["https://a.example/b"]}),
    "origin with a user": ("E035", {"WXAUTH_RETURN_ORIGINS": ["https://a@b.example"]}),
    "origin in capitals": ("E035", {"WXAUTH_RETURN_ORIGINS": ["https://A.example"]}),
    "origin of everybody": ("E035", {"WXAUTH_RETURN_ORIGINS": ["*"]}),
    "origin is a number": ("E035", {"WXAUTH_RETURN_ORIGINS": [5]}),
    "hosts is a text": ("E036", {"WXAUTH_AVATAR_HOSTS": ".qlogo.cn"}),
    "hosts is none": ("E036", {"WXAUTH_AVATAR_HOSTS": None}),
    "host with an asterisk": ("E036", {"WXAUTH_AVATAR_HOSTS": ["*.qlogo.cn"]}),
    "host with a scheme": ("E036", {"WXAUTH_AVATAR_HOSTS": ["https://a.example"]}),
    "host with a port": ("E036", {"WXAUTH_AVATAR_HOSTS": ["a.example:80"]}),
    "host in capitals": ("E036", {"WXAUTH_AVATAR_HOSTS": ["A.example"]}),
    "host of nothing": ("E036", {"WXAUTH_AVATAR_HOSTS": ["."]}),
    "host is a number": ("E036", {"WXAUTH_AVATAR_HOSTS": [5]}),
    "host is empty": ("E036", {"WXAUTH_AVATAR_HOSTS": [""]}),
    "host is this machine": ("W009", {"WXAUTH_AVATAR_HOSTS": ["127.0.0.1"]}),
    "host is this machine, by name": ("W009", {"WXAUTH_AVATAR_HOSTS": ["localhost"]}),
    "host is this machine, by ipv6": ("W009", {"WXAUTH_AVATAR_HOSTS": ["::1"]}),
    "no middleware of ours": ("W008", {"MIDDLEWARE": []}),
    "session that stays at home": ("W010", {"SESSION_COOKIE_SAMESITE": "Strict"}),
    "session that stays at home, in small letters": ("W010", {"SESSION_COOKIE_SAMESITE": "strict"}),
    "simulator for the server only": ("W011", {**WEBSITE, **SIMULATED, "DEBUG": True}),
    "simulator for browsers only": (
        "W011",
        {**WEBSITE, "WXAUTH_OPEN_BASE_URL": "http://localhost:8001", "DEBUG": True},
    ),
    "copies in the working directory": (
        "W012",
        {"WXAUTH_AVATAR_HOSTS": [".qlogo.cn"], "MEDIA_ROOT": ""},
    ),
    "unknown cache": ("E007", {"WXAUTH_CACHE": "nowhere"}),
    "cache is none": ("E007", {"WXAUTH_CACHE": None}),
    "cache of no class": ("E007", {"CACHES": {"default": {"BACKEND": "no.such.Cache"}}}),
    "cache keeps nothing": ("E008", {"CACHES": {"default": DUMMY}}),
    "cache keeps nothing, debug": ("E008", {"CACHES": {"default": DUMMY}, "DEBUG": True}),
    "cache of one process": ("W003", {"CACHES": {"default": LOCMEM}}),
    "other cache of one process": (
        "W003",
        {"CACHES": {"default": SHARED, "other": LOCMEM}, "WXAUTH_CACHE": "other"},
    ),
    "no backend of ours": (
        "W001",
        {"AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.ModelBackend"]},
    ),
    "no backend at all": ("W001", {"AUTHENTICATION_BACKENDS": []}),
    "short key": ("W004", {"SECRET_KEY": "short" + "x" * 26}),
    "short signing key": ("W004", {"SIMPLE_JWT": {"SIGNING_KEY": "x" * 31}}),
    "empty signing key": ("W004", {"SIMPLE_JWT": {"SIGNING_KEY": ""}}),
    "key too short for HS512": (
        "W004",
        {"SIMPLE_JWT": {"SIGNING_KEY": "x" * 63, "ALGORITHM": "HS512"}},
    ),
    "key of startproject": ("W005", {"SECRET_KEY": "django-insecure-" + LONG}),
    "rates is a number": ("E009", {"WXAUTH_THROTTLE_RATES": 60}),
    "rates is none": ("E009", {"WXAUTH_THROTTLE_RATES": None}),
    "rate is a number": ("E009", {"WXAUTH_THROTTLE_RATES": {"address": 60}}),
    "rate without period": ("E009", {"WXAUTH_THROTTLE_RATES": {"address": "60"}}),
    "rate of empty period": ("E009", {"WXAUTH_THROTTLE_RATES": {"address": "60/"}}),
    "rate of unknown period": ("E009", {"WXAUTH_THROTTLE_RATES": {"person": "60/week"}}),
    "rate in words": ("E009", {"WXAUTH_THROTTLE_RATES": {"person": "sixty/min"}}),
    "rate of zero": ("E009", {"WXAUTH_THROTTLE_RATES": {"person": "0/min"}}),
    "rate below zero": ("E009", {"WXAUTH_THROTTLE_RATES": {"person": "-1/min"}}),
    "rate of unknown scope": ("E009", {"WXAUTH_THROTTLE_RATES": {"ip": "60/min"}}),
    "create_user is not there": ("E010", {"WXAUTH_CREATE_USER": f"{HERE}.nothing"}),
    "create_user is no path": ("E010", {"WXAUTH_CREATE_USER": "nothing"}),
    "create_user is none": ("E010", {"WXAUTH_CREATE_USER": None}),
    "create_user is a text": ("E010", {"WXAUTH_CREATE_USER": NOT_CALLABLE}),
    "ttl in seconds": ("E011", {"WXAUTH_SESSION_KEY_TTL": 7200}),
    "ttl of zero": ("E011", {"WXAUTH_SESSION_KEY_TTL": timedelta(0)}),
    "grace is none": ("E011", {"WXAUTH_REFRESH_GRACE": None}),
    "grace below zero": ("E011", {"WXAUTH_REFRESH_GRACE": timedelta(seconds=-1)}),
    "access lifetime in seconds": ("E011", {"SIMPLE_JWT": {"ACCESS_TOKEN_LIFETIME": 300}}),
    "refresh lifetime of zero": (
        "E011",
        {"SIMPLE_JWT": {"REFRESH_TOKEN_LIFETIME": timedelta(0)}},
    ),
    "jwt is a list": ("E011", {"SIMPLE_JWT": []}),
    "jwt is none": ("E011", {"SIMPLE_JWT": None}),
    "one timeout": ("E012", {"WXAUTH_TIMEOUTS": 5}),
    "three timeouts": ("E012", {"WXAUTH_TIMEOUTS": (1, 2, 3)}),
    "timeout of zero": ("E012", {"WXAUTH_TIMEOUTS": (0, 5)}),
    "timeout below zero": ("E012", {"WXAUTH_TIMEOUTS": (3, -5)}),
    "timeout of ever": ("E012", {"WXAUTH_TIMEOUTS": (3, float("inf"))}),
    "timeout is no number": ("E012", {"WXAUTH_TIMEOUTS": (3, float("nan"))}),
    "timeout is none": ("E012", {"WXAUTH_TIMEOUTS": (3, None)}),
    "timeout in words": ("E012", {"WXAUTH_TIMEOUTS": ("three", 5)}),
    "depth of nothing": ("E030", {"WXAUTH_REFERRAL_DEPTH": 0}),
    "depth without end": ("E030", {"WXAUTH_REFERRAL_DEPTH": 11}),
    "depth in words": ("E030", {"WXAUTH_REFERRAL_DEPTH": "3"}),
    "depth that is a boolean": ("E030", {"WXAUTH_REFERRAL_DEPTH": True}),
    "bare encryption key": ("E013", {"WXAUTH_ENCRYPTION_KEYS": SECRET}),
    "empty encryption key": ("E013", {"WXAUTH_ENCRYPTION_KEYS": [LONG, ""]}),
    "encryption key of bytes": ("E013", {"WXAUTH_ENCRYPTION_KEYS": [LONG.encode()]}),
    "encryption keys is a number": ("E013", {"WXAUTH_ENCRYPTION_KEYS": 5}),
    "sender is not there": ("E014", {"WXAUTH_SMS_BACKEND": f"{HERE}.nothing"}),
    "sender is no path": ("E014", {"WXAUTH_SMS_BACKEND": "nothing"}),
    "sender is a number": ("E014", {"WXAUTH_SMS_BACKEND": 5}),
    "messages on the console": ("E015", {"WXAUTH_SMS_BACKEND": CONSOLE}),
    "messages in memory": ("E015", {"WXAUTH_SMS_BACKEND": "wxauth.sms.memory.MemorySender"}),
    "messages in a file": (
        "E015",
        {
            "WXAUTH_SMS_BACKEND": "wxauth.sms.file.FileSender",
            "WXAUTH_SMS_OPTIONS": {"path": SECRET},
        },
    ),
    "no country": ("E016", {"WXAUTH_SMS_COUNTRIES": []}),
    "countries is a text": ("E016", {"WXAUTH_SMS_COUNTRIES": "86"}),
    "country is a number": ("E016", {"WXAUTH_SMS_COUNTRIES": [86]}),
    "country with a plus": ("E016", {"WXAUTH_SMS_COUNTRIES": ["+86"]}),
    "country and more": ("E016", {"WXAUTH_SMS_COUNTRIES": ["86-138"]}),
    "countries is none": ("E016", {"WXAUTH_SMS_COUNTRIES": None}),
    "limits is a number": ("E017", {"WXAUTH_ATTEMPT_LIMITS": 5}),
    "limits is none": ("E017", {"WXAUTH_ATTEMPT_LIMITS": None}),
    "limits is a list of texts": ("E017", {"WXAUTH_ATTEMPT_LIMITS": ["sms_number"]}),
    "limit of zero": ("E017", {"WXAUTH_ATTEMPT_LIMITS": {"sms_number": 0}}),
    "limit is a rate": ("E017", {"WXAUTH_ATTEMPT_LIMITS": {"sms_number": "5/day"}}),
    "limit is a boolean": ("E017", {"WXAUTH_ATTEMPT_LIMITS": {"sms_number": True}}),
    "limit of something unknown": ("E017", {"WXAUTH_ATTEMPT_LIMITS": {"sms": 5}}),
    "options that do not fit": (
        "E018",
        {"WXAUTH_SMS_BACKEND": f"{HERE}.HostSender", "WXAUTH_SMS_OPTIONS": {SECRET: SECRET}},
    ),
    "options are missing": ("E018", {"WXAUTH_SMS_BACKEND": f"{HERE}.HostSender"}),
    "options are none": (
        "E018",
        {"WXAUTH_SMS_BACKEND": f"{HERE}.HostSender", "WXAUTH_SMS_OPTIONS": None},
    ),
    "sender is no class": (
        "E018",
        {"WXAUTH_SMS_BACKEND": NOT_CALLABLE, "WXAUTH_SMS_OPTIONS": {"key": SECRET}},
    ),
}
RIGHT = {
    "one app": {"WXAUTH_APPS": None, "WXAUTH_APP_ID": "wx0", "WXAUTH_APP_SECRET": SECRET},
    "apps by function": {"WXAUTH_APPS": f"{HERE}.load_apps"},
    "apps of each kind": {
        "WXAUTH_APPS": {
            kind: {"kind": kind, "app_id": kind, "app_secret": SECRET, "union_scope": None}
            for kind in ("mini_program", "official_account", "website", "mobile")
        }
    },
    "https proxy": {"WXAUTH_API_BASE_URL": "https://proxy.example.com:8443/wechat/"},
    "simulator without pages": {"WXAUTH_APPS": {"a": APP}, **SIMULATED, "DEBUG": True},
    "pages by http, debug": {"WXAUTH_OPEN_BASE_URL": "http://pages.example.com", "DEBUG": True},
    "sub domain of a mini program": {
        "WXAUTH_APPS": {"mall": APP},
        "WXAUTH_APIFACTORY_APPS": {"tz": "mall"},
    },
    "blocks of the host": {"WXAUTH_APIFACTORY_USER_DETAIL": f"{HERE}.create_nothing"},
    "deletion at once": {"WXAUTH_DELETION_DELAY": timedelta(0)},
    "simulator": {
        **WEBSITE,
        **SIMULATED,
        "WXAUTH_OPEN_BASE_URL": "http://localhost:8001",
        "DEBUG": True,
    },
    "session that goes everywhere": {"SESSION_COOKIE_SAMESITE": "None"},
    "strict session, and no pages": {"SESSION_COOKIE_SAMESITE": "Strict", "ROOT_URLCONF": HERE},
    "no copies": {"WXAUTH_AVATAR_HOSTS": [], "MEDIA_ROOT": ""},
    "copies nobody knows where": {
        "WXAUTH_AVATAR_HOSTS": [".qlogo.cn"],
        "STORAGES": {"default": {"BACKEND": "no.such.Storage"}},
    },
    "copies elsewhere": {
        "WXAUTH_AVATAR_HOSTS": [".qlogo.cn"],
        "MEDIA_ROOT": "",
        "STORAGES": {"default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}},
    },
    "pages of a simulator": {"WXAUTH_OPEN_BASE_URL": "http://127.0.0.1:8001/"},
    "origins": {"WXAUTH_RETURN_ORIGINS": ["https://a.example", "http://127.0.0.1:5173"]},
    "hosts": {"WXAUTH_AVATAR_HOSTS": [".qlogo.cn", "thirdwx.qlogo.cn"]},
    "host is this machine, debug": {"WXAUTH_AVATAR_HOSTS": ["127.0.0.1"], "DEBUG": True},
    "no middleware of ours, and no pages": {"MIDDLEWARE": [], "ROOT_URLCONF": f"{HERE}"},
    "no middleware, and a broken urlconf": {"MIDDLEWARE": [], "ROOT_URLCONF": "no.such.module"},
    "cache of one process, debug": {"CACHES": {"default": LOCMEM}, "DEBUG": True},
    "redis that is down": {"CACHES": {"default": LOCMEM, "r": REDIS}, "WXAUTH_CACHE": "r"},
    "backend of the host": {"AUTHENTICATION_BACKENDS": [f"{HERE}.HostBackend"]},
    "key of startproject, debug": {"SECRET_KEY": "django-insecure-" + LONG, "DEBUG": True},
    "key of startproject, own signing key": {
        "SECRET_KEY": "django-insecure-" + LONG,
        "SIMPLE_JWT": {"SIGNING_KEY": LONG},
    },
    "key as long as its hash": {"SIMPLE_JWT": {"SIGNING_KEY": "x" * 32}},
    "private key": {"SIMPLE_JWT": {"ALGORITHM": "RS256", "SIGNING_KEY": "pem"}},
    "rates in all periods": {"WXAUTH_THROTTLE_RATES": {"address": "5/s", "person": "9/day"}},
    "no rates": {"WXAUTH_THROTTLE_RATES": {"address": None, "person": None}},
    "create_user of the host": {"WXAUTH_CREATE_USER": f"{HERE}.create_nothing"},
    "durations": {
        "WXAUTH_SESSION_KEY_TTL": timedelta(minutes=5),
        "WXAUTH_REFRESH_GRACE": timedelta(seconds=1),
        "WXAUTH_TIMEOUTS": [0.5, 10],
    },
    "encryption keys": {"WXAUTH_ENCRYPTION_KEYS": (LONG,)},
    "one level": {"WXAUTH_REFERRAL_DEPTH": 1},
    "ten levels": {"WXAUTH_REFERRAL_DEPTH": 10},
    "messages on the console, debug": {"WXAUTH_SMS_BACKEND": CONSOLE, "DEBUG": True},
    "messages on the console by default, debug": {"DEBUG": True},
    "sender of the host": {
        "WXAUTH_SMS_BACKEND": f"{HERE}.HostSender",
        "WXAUTH_SMS_OPTIONS": {"key": SECRET},
    },
    "countries": {"WXAUTH_SMS_COUNTRIES": ("86", "852", "1")},
    "limits": {"WXAUTH_ATTEMPT_LIMITS": {"sms_number": 3, "sms_device": None}},
}


@pytest.fixture
def found(settings):
    """Return a function that sets these settings and returns what all of our checks say."""
    settings.CACHES = {"default": SHARED}
    settings.WXAUTH_SMS_BACKEND = None
    settings.MIDDLEWARE = ["wxauth.web.middleware.LoginSessionMiddleware"]
    settings.MEDIA_ROOT = "/srv/media"

    def found(**values):
        for name, value in values.items():
            setattr(settings, name, value)
        return django_checks.run_checks(tags=[checks.TAG])

    return found


def test_nothing_is_said_of_the_usual_settings(found):
    assert found() == []


@pytest.mark.parametrize(("id", "values"), WRONG.values(), ids=WRONG)
def test_wrong_setting_is_said_once_with_a_hint_and_no_secret(found, id, values):
    (message,) = found(**values)

    assert message.id == f"wxauth.{id}"
    assert message.is_serious() == id.startswith("E")
    assert message.hint
    assert SECRET not in str(message)
    assert LONG not in str(message)


@pytest.mark.parametrize("values", RIGHT.values(), ids=RIGHT)
def test_right_setting_is_not_complained_about(found, values):
    assert found(**values) == []


def test_all_settings_broken_at_once_are_each_reported(found):
    messages = found(
        WXAUTH_APPS="nothing",
        WXAUTH_API_BASE_URL=5,
        WXAUTH_CACHE={},
        AUTHENTICATION_BACKENDS=[],
        SECRET_KEY="short",
        SIMPLE_JWT=[],
        WXAUTH_THROTTLE_RATES=5,
        WXAUTH_CREATE_USER=5,
        WXAUTH_SESSION_KEY_TTL=object(),
        WXAUTH_TIMEOUTS=object(),
        WXAUTH_ENCRYPTION_KEYS=object(),
    )

    assert sorted({message.id.removeprefix("wxauth.") for message in messages}) == [
        "E003", "E005", "E007", "E009", "E010", "E011", "E012", "E013", "W001",
    ]  # fmt: skip


def test_addresses_that_are_none_are_not_compared(found):
    messages = found(**WEBSITE, WXAUTH_API_BASE_URL=5, WXAUTH_OPEN_BASE_URL=5, DEBUG=True)

    assert sorted(message.id for message in messages) == ["wxauth.E005", "wxauth.E031"]


def test_sub_domains_are_checked_without_the_apps_too(found):
    messages = found(
        WXAUTH_APPS=f"{HERE}.load_from_missing_table", WXAUTH_APIFACTORY_APPS={"tz": "mall"}
    )

    assert "wxauth.W006" in {message.id for message in messages}


def test_foreign_backend_that_is_missing_is_left_to_django(found):
    assert found(AUTHENTICATION_BACKENDS=["no.such.Backend"]) == []


def test_twins_are_named_by_their_aliases(found):
    (message,) = found(WXAUTH_APPS={"mall": APP, "cafe": APP, "other": {**APP, "app_id": "wx1"}})

    assert "'mall', 'cafe'" in message.msg


def test_each_duration_has_its_own_message(found):
    messages = found(WXAUTH_SESSION_KEY_TTL=0, WXAUTH_REFRESH_GRACE=0)

    assert [message.msg.split()[0] for message in messages] == [
        "WXAUTH_SESSION_KEY_TTL",
        "WXAUTH_REFRESH_GRACE",
    ]


@pytest.mark.parametrize(
    ("vendor", "options", "ids"),
    [
        ("mysql", {"charset": "utf8"}, ["wxauth.W007"]),
        ("mysql", {"charset": "utf8mb4"}, []),
        ("mysql", {}, []),
        ("postgresql", {"charset": "utf8"}, []),
    ],
)
def test_mysql_without_utf8mb4_cannot_keep_emoji(monkeypatch, vendor, options, ids):
    connection = connections["default"]
    monkeypatch.setattr(connection, "vendor", vendor)
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)

    found = django_checks.run_checks(tags=[django_checks.Tags.database], databases=["default"])

    assert [message.id for message in found if message.id.startswith("wxauth")] == ids
    assert checks.storage.check_charset(None) == []


# As a developer sees it


@pytest.fixture
def fresh_project(tmp_path):
    """Return a function that runs ``manage.py`` of what ``startproject`` makes, with our app."""
    call_command("startproject", "fresh", tmp_path)
    with (tmp_path / "fresh" / "settings.py").open("a") as file:
        file.write('\nINSTALLED_APPS += ["rest_framework", "wxauth"]\n')

    def manage(*arguments):
        environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
        )

    return manage


def test_fresh_project_is_told_what_to_set(fresh_project):
    done = fresh_project("check")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "(wxauth.E001) No WeChat app is configured." in done.stderr
    assert "HINT: Set WXAUTH_APP_ID and WXAUTH_APP_SECRET" in done.stderr
    assert "(wxauth.W001) AUTHENTICATION_BACKENDS has no WeChat backend." in done.stderr
    assert "2 issues" in done.stderr
