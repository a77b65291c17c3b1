"""
Settings of the example project.

With an empty environment: a laptop, with SQLite, a cache in memory and the simulator instead of
WeChat. The variables below are all that separates it from a deployment on many machines.

======================  ===========================================================================
DATABASE_URL            ``postgres://…``, ``mysql://…`` or ``sqlite:///…``
REDIS_URL               ``redis://…``: required as soon as there is more than one process
REDIS_KEY_PREFIX        begins each key, for a Redis that is shared
WXAUTH_API_BASE_URL     unset: the simulator with DEBUG, WeChat without
WXAUTH_OPEN_BASE_URL    where WeChat's pages for browsers are; unset: in the same way
WXAUTH_APP_ID           the mini program; together with WXAUTH_APP_SECRET
WXAUTH_APPS             several apps: the whole setting as JSON
WXAUTH_SMS_BACKEND      who sends text messages; unset: a file in VAR_DIR with DEBUG, nobody without
WXAUTH_SMS_OPTIONS      its keyword arguments as JSON
WXAUTH_THROTTLES        ``0`` turns our rate limits off, for load tests
SECRET_KEY              required without DEBUG
DEBUG                   ``0`` in production
ALLOWED_HOSTS           names of the site, with commas
CSRF_TRUSTED_ORIGINS    origins that may post forms (the admin), with commas
BEHIND_HTTPS_PROXY      ``1`` when a proxy ends TLS and always sets ``X-Forwarded-Proto``
NUM_PROXIES             how many proxies add to ``X-Forwarded-For``; 0 believes none
VAR_DIR                 where a laptop keeps its database, secrets and text messages
======================  ===========================================================================
"""

from pathlib import Path

from example_project.environment import (
    read_apps,
    read_cache,
    read_count,
    read_database,
    read_flag,
    read_list,
    read_origins,
    read_secret_key,
    read_sms,
    read_text,
    read_url,
)
from wxauth.conf import API_BASE_URL
from wxauth.conf.web import OPEN_BASE_URL

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(read_text("VAR_DIR", str(BASE_DIR / "var")))

DEBUG = read_flag("DEBUG", default=True)
SECRET_KEY = read_secret_key(debug=DEBUG, directory=VAR_DIR)
ALLOWED_HOSTS = read_list("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = read_origins("CSRF_TRUSTED_ORIGINS")
if read_flag("BEHIND_HTTPS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

INSTALLED_APPS = [
    "example_project",  # first: its admin/login.html has one line more than Django's
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "wxauth",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "wxauth.web.middleware.LoginSessionMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

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

ROOT_URLCONF = "example_project.urls"
WSGI_APPLICATION = "example_project.wsgi.application"

DATABASES = {"default": read_database("DATABASE_URL", fallback=VAR_DIR / "demo.sqlite3")}
CACHES = {"default": read_cache("REDIS_URL")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGIN_URL = "admin:login"  # the only password of the demo is the admin's
LOGIN_REDIRECT_URL = "browser"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
TIME_ZONE = "UTC"
USE_TZ = True

# WhiteNoise serves the files from where the apps have them: there is no collectstatic to forget.
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True

# Avatars that people upload.
MEDIA_URL = "media/"
MEDIA_ROOT = VAR_DIR / "media"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {"django": {"handlers": ["console"], "level": "INFO", "propagate": False}},
}

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",  # the admin's password
    "wxauth.backends.WechatBackend",
]

REST_FRAMEWORK = {
    # 0, not DRF's None: with None a caller who invents an X-Forwarded-For is a new caller each time
    "NUM_PROXIES": read_count("NUM_PROXIES", default=0),
}

DEMO_SIMULATOR = DEBUG and not read_text("WXAUTH_API_BASE_URL")  # `manage.py demo` starts it
WXAUTH_API_BASE_URL = read_url(
    "WXAUTH_API_BASE_URL", "http://127.0.0.1:8001" if DEMO_SIMULATOR else API_BASE_URL
)
WXAUTH_OPEN_BASE_URL = read_url(
    "WXAUTH_OPEN_BASE_URL", WXAUTH_API_BASE_URL if DEMO_SIMULATOR else OPEN_BASE_URL
)
if DEMO_SIMULATOR:
    WXAUTH_AVATAR_HOSTS = ["127.0.0.1"]  # the simulator has the pictures, too
    WXAUTH_TIMEOUTS = (1, 2)  # seconds; nobody who plays with its faults wants to wait for five

# Made-up apps of one company: who has registered in one is known in the others.
WXAUTH_APPS = read_apps(
    {
        "mall": {
            "kind": "mini_program",
            "app_id": "wxdemo00000000mall",
            "app_secret": "made-up-secret-of-the-mall",
            "union_scope": "demo",
        },
        "cafe": {
            "kind": "mini_program",
            "app_id": "wxdemo00000000cafe",
            "app_secret": "made-up-secret-of-the-cafe",
            "union_scope": "demo",
        },
        "account": {
            "kind": "official_account",
            "app_id": "wxdemo00000account",
            "app_secret": "made-up-secret-of-the-account",
            "union_scope": "demo",
        },
        "site": {
            "kind": "website",
            "app_id": "wxdemo00000000site",
            "app_secret": "made-up-secret-of-the-site",
            "union_scope": "demo",
        },
        "native": {
            "kind": "mobile",
            "app_id": "wxdemo000000native",
            "app_secret": "made-up-secret-of-the-mobile-app",
            "union_scope": "demo",
        },
    }
)
# The page's phone shows the messages in this file, as long as they go there.
DEMO_MESSAGES = VAR_DIR / "text-messages.jsonl"
WXAUTH_SMS_BACKEND, WXAUTH_SMS_OPTIONS = read_sms(DEMO_MESSAGES if DEBUG else None)
# What the shops of API工厂's clients ask for at their start.
WXAUTH_APIFACTORY_CONFIG = {"mallName": "wxauth demo"}
if not read_flag("WXAUTH_THROTTLES", default=True):
    WXAUTH_THROTTLE_RATES = {"address": None, "person": None}
