"""
Settings of a small host project for the tests.

SQLite and local memory, or what ``DATABASE_URL`` and ``REDIS_URL`` name. ``WXAUTH_TEST_RUN`` keeps
two runs on one machine apart: it is part of the name of each database and of each cache key, and
the processes that a test starts inherit it.
"""

import os
import tempfile
from pathlib import Path

import dj_database_url

RUN = os.environ.setdefault("WXAUTH_TEST_RUN", str(os.getpid()))
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")

DEBUG = False
SECRET_KEY = "a long text that is only good for tests, and is no secret at all"
ALLOWED_HOSTS = ["*"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "wxauth",
    "tests.host_app",
]

# No LocaleMiddleware: many hosts have none, and our answers must speak the client's language.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

if "DATABASE_URL" in os.environ:
    DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
    DATABASES["default"]["TEST"] = {"NAME": f"test_wxauth_{RUN}"}
    if DATABASES["default"]["ENGINE"] == "django.db.backends.mysql":
        DATABASES["default"]["TEST"]["CHARSET"] = "utf8mb4"
else:
    # A file, not memory: connections of several threads and processes can then meet in it, and
    # wait for each other as they do in a deployment.
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": ":memory:",
            "OPTIONS": {
                "timeout": 30,  # seconds
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
            },
            "TEST": {"NAME": str(Path(tempfile.gettempdir(), f"test_wxauth_{RUN}.sqlite3"))},
        },
    }

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

if "REDIS_URL" in os.environ:
    CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": os.environ["REDIS_URL"],
            "KEY_PREFIX": f"wxauth-test-{RUN}-{WORKER}",
        },
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

AUTHENTICATION_BACKENDS = [
    "wxauth.backends.WechatBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

USE_TZ = True
TIME_ZONE = "UTC"

# Made-up ids and secrets. Two mini programs and the website share one union scope.
WXAUTH_APPS = {
    "default": {
        "kind": "mini_program",
        "app_id": "wx0a1b2c3d4e5f6071",
        "app_secret": "made-up-secret-of-the-default-app",
        "union_scope": "main",
        "push_token": "made-up-push-token",
    },
    "second": {
        "kind": "mini_program",
        "app_id": "wx1b2c3d4e5f607182",
        "app_secret": "made-up-secret-of-the-second-app",
        "union_scope": "main",
        "push_token": "made-up-push-token-of-the-second-app",
        "push_aes_key": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    },
    "foreign": {
        "kind": "mini_program",
        "app_id": "wx2c3d4e5f60718293",
        "app_secret": "made-up-secret-of-the-foreign-app",
        "union_scope": "elsewhere",
    },
    "site": {
        "kind": "website",
        "app_id": "wx3d4e5f60718293a4",
        "app_secret": "made-up-secret-of-the-website",
        "union_scope": "main",
    },
    "native": {
        "kind": "mobile",
        "app_id": "wx4e5f60718293a4b5",
        "app_secret": "made-up-secret-of-the-mobile-app",
        "union_scope": "main",
    },
}

# Messages wait in wxauth.sms.memory.outbox.
WXAUTH_SMS_BACKEND = "wxauth.sms.memory.MemorySender"
