"""The example's settings: what the environment makes of them."""

import json
import os
import runpy
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from example_project.environment import keep_secret
from tests.example_project.processes import clean_environment

pytestmark = pytest.mark.static

Load = Callable[..., dict[str, Any]]
PRODUCTION = {"DEBUG": "0", "SECRET_KEY": "a-key-that-is-only-for-tests-" + "x" * 30}


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Return a function that reads the settings in an environment of only these variables."""

    def load(directory: Path = tmp_path, **variables: str) -> dict[str, Any]:
        environment = clean_environment(VAR_DIR=str(directory), **variables)
        for name in set(os.environ) - set(environment):
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return runpy.run_module("example_project.settings")

    return load


def test_empty_environment_is_a_laptop_with_the_simulator(load: Load, tmp_path: Path) -> None:
    settings = load()
    database = settings["DATABASES"]["default"]
    assert settings["DEBUG"] is True
    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert database["NAME"] == str(tmp_path / "demo.sqlite3")
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in database["OPTIONS"]["init_command"]
    assert "LocMemCache" in settings["CACHES"]["default"]["BACKEND"]
    assert settings["WXAUTH_API_BASE_URL"] == "http://127.0.0.1:8001"
    assert settings["DEMO_SIMULATOR"] is True
    assert settings["WXAUTH_OPEN_BASE_URL"] == "http://127.0.0.1:8001"
    assert list(settings["WXAUTH_APPS"]) == ["mall", "cafe", "account", "site", "native"]
    assert {app["union_scope"] for app in settings["WXAUTH_APPS"].values()} == {"demo"}
    assert "WXAUTH_THROTTLE_RATES" not in settings
    assert settings["WXAUTH_SMS_BACKEND"] == "wxauth.sms.file.FileSender"
    assert settings["WXAUTH_SMS_OPTIONS"] == {"path": str(tmp_path / "text-messages.jsonl")}
    assert settings["REST_FRAMEWORK"]["NUM_PROXIES"] == 0
    assert set(settings["ALLOWED_HOSTS"]) == {"127.0.0.1", "localhost", "[::1]"}


def test_random_key_of_a_checkout_is_kept_private_and_its_own(load: Load, tmp_path: Path) -> None:
    here, there = tmp_path / "deep" / "here", tmp_path / "there"
    first = load(here)["SECRET_KEY"]
    assert len(first) >= 50
    assert load(here)["SECRET_KEY"] == first
    assert load(there)["SECRET_KEY"] != first
    assert (here / "secret-key").stat().st_mode & 0o077 == 0
    assert [path.name for path in here.iterdir()] == ["secret-key"]


def test_processes_that_start_together_keep_one_secret(tmp_path: Path) -> None:
    for attempt in range(20):
        with ThreadPoolExecutor(max_workers=8) as pool:
            kept = set(pool.map(keep_secret, [tmp_path / str(attempt)] * 8))
        assert len(kept) == 1
        assert len(kept.pop()) >= 50


def test_variables_alone_make_a_deployment(load: Load, tmp_path: Path) -> None:
    settings = load(
        **PRODUCTION,
        DATABASE_URL="postgres://shop:pass@db.example:5433/shop",
        REDIS_URL="redis://cache.example:6379/3",
        REDIS_KEY_PREFIX="shop",
        WXAUTH_APP_ID="wx0000000000000001",
        WXAUTH_APP_SECRET="a-secret",
        ALLOWED_HOSTS="shop.example, www.shop.example",
        CSRF_TRUSTED_ORIGINS="https://shop.example",
        BEHIND_HTTPS_PROXY="1",
        NUM_PROXIES="2",
        WXAUTH_SMS_BACKEND="shop.senders.ShopSender",
        WXAUTH_SMS_OPTIONS='{"key": "a-key"}',
        WXAUTH_THROTTLES="0",
    )
    database, cache = settings["DATABASES"]["default"], settings["CACHES"]["default"]
    assert settings["DEBUG"] is False
    assert settings["SECRET_KEY"] == PRODUCTION["SECRET_KEY"]
    assert settings["ALLOWED_HOSTS"] == ["shop.example", "www.shop.example"]
    assert settings["CSRF_TRUSTED_ORIGINS"] == ["https://shop.example"]
    assert settings["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")
    assert settings["SESSION_COOKIE_SECURE"] is True
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example", 5433, "shop")
    assert database["CONN_MAX_AGE"] > 0
    assert database["CONN_HEALTH_CHECKS"] is True
    assert cache["BACKEND"] == "django_redis.cache.RedisCache"
    assert cache["LOCATION"] == "redis://cache.example:6379/3"
    assert cache["KEY_PREFIX"] == "shop"
    assert settings["WXAUTH_API_BASE_URL"] == "https://api.weixin.qq.com"
    assert settings["DEMO_SIMULATOR"] is False
    assert settings["WXAUTH_APPS"] == {
        "default": {"app_id": "wx0000000000000001", "app_secret": "a-secret"}
    }
    assert settings["WXAUTH_THROTTLE_RATES"] == {"address": None, "person": None}
    assert settings["REST_FRAMEWORK"]["NUM_PROXIES"] == 2
    assert settings["WXAUTH_SMS_BACKEND"] == "shop.senders.ShopSender"
    assert settings["WXAUTH_SMS_OPTIONS"] == {"key": "a-key"}
    assert not list(tmp_path.iterdir())


def test_production_without_a_sender_sends_no_messages(load: Load, tmp_path: Path) -> None:
    settings = load(**PRODUCTION, DATABASE_URL="postgres://u:p@db/shop")
    assert (settings["WXAUTH_SMS_BACKEND"], settings["WXAUTH_SMS_OPTIONS"]) == (None, {})
    assert not list(tmp_path.iterdir())


def test_mysql_speaks_four_byte_utf8_and_is_strict(load: Load) -> None:
    database = load(DATABASE_URL="mysql://u:p@db/shop")["DATABASES"]["default"]
    assert database["OPTIONS"]["charset"] == "utf8mb4"
    assert "STRICT_TRANS_TABLES" in database["OPTIONS"]["init_command"]


def test_several_apps_come_as_json(load: Load) -> None:
    apps = {"one": {"app_id": "wx1", "app_secret": "s1", "union_scope": "ours"}}
    assert load(WXAUTH_APPS=json.dumps(apps))["WXAUTH_APPS"] == apps


def test_address_of_wechat_stands_without_its_last_slash(load: Load) -> None:
    settings = load(WXAUTH_API_BASE_URL="http://127.0.0.1:9000/")
    assert settings["WXAUTH_API_BASE_URL"] == "http://127.0.0.1:9000"
    assert settings["DEMO_SIMULATOR"] is False


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"DEBUG": "perhaps"}, "DEBUG is 1 or 0"),
        ({"WXAUTH_THROTTLES": "off please"}, "WXAUTH_THROTTLES is 1 or 0"),
        ({"DEBUG": "0"}, "SECRET_KEY is required without DEBUG"),
        ({"DEBUG": "0", "SECRET_KEY": "  "}, "SECRET_KEY is required without DEBUG"),
        ({"DATABASE_URL": "hunter2"}, "DATABASE_URL is an address"),
        ({"DATABASE_URL": "dbase3://u:hunter2@h/n"}, "DATABASE_URL is an address"),
        ({"DATABASE_URL": "postgres://u:hunter2@h:port/n"}, "DATABASE_URL is an address"),
        ({"DATABASE_URL": "postgres://u:hunter2/@h/n"}, "DATABASE_URL is an address"),
        ({"REDIS_URL": "cache.example:6379"}, "REDIS_URL is an address"),
        ({"WXAUTH_API_BASE_URL": "api.weixin.qq.com"}, "WXAUTH_API_BASE_URL is an address"),
        ({"WXAUTH_API_BASE_URL": "http://[::1"}, "WXAUTH_API_BASE_URL is an address"),
        ({"WXAUTH_API_BASE_URL": "http://h:99999"}, "WXAUTH_API_BASE_URL is an address"),
        ({"WXAUTH_APP_ID": "wx1"}, "WXAUTH_APP_ID and WXAUTH_APP_SECRET are set together"),
        ({"WXAUTH_APP_SECRET": "hunter2"}, "WXAUTH_APP_ID and WXAUTH_APP_SECRET are set together"),
        ({"WXAUTH_APPS": "{hunter2"}, "WXAUTH_APPS is JSON"),
        ({"WXAUTH_APPS": "[]"}, "WXAUTH_APPS is JSON"),
        ({"WXAUTH_APPS": "{}"}, "WXAUTH_APPS is JSON"),
        ({"WXAUTH_APPS": '{"a": "hunter2"}'}, "WXAUTH_APPS['a'] is an object of texts"),
        ({"WXAUTH_APPS": '{"a": {"app_id": 5}}'}, "WXAUTH_APPS['a'] is an object of texts"),
        ({"WXAUTH_APPS": '{"a": {"app_id": "wx1"}}'}, "WXAUTH_APPS['a'] needs app_id"),
        (
            {"WXAUTH_APPS": '{"a": {"app_id": "w", "app_secret": "hunter2", "kind": "fridge"}}'},
            "unknown kind 'fridge'",
        ),
        ({"WXAUTH_SMS_OPTIONS": "{}"}, "WXAUTH_SMS_OPTIONS needs WXAUTH_SMS_BACKEND"),
        (
            {"WXAUTH_SMS_BACKEND": "a.B", "WXAUTH_SMS_OPTIONS": "{hunter2"},
            "WXAUTH_SMS_OPTIONS is JSON",
        ),
        (
            {"WXAUTH_SMS_BACKEND": "a.B", "WXAUTH_SMS_OPTIONS": '["hunter2"]'},
            "WXAUTH_SMS_OPTIONS is JSON",
        ),
        ({"NUM_PROXIES": "-1"}, "NUM_PROXIES is a whole number"),
        ({"NUM_PROXIES": "²"}, "NUM_PROXIES is a whole number"),
        ({"CSRF_TRUSTED_ORIGINS": "shop.example"}, "CSRF_TRUSTED_ORIGINS has entries such as"),
    ],
)
def test_bad_value_is_refused_in_one_sentence_without_secrets(
    load: Load, variables: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        load(**variables)
    assert sentence in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
