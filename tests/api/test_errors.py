"""Every failure has one code, one status, one action, and a sentence in the client's language."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection
from django.http import Http404, UnreadablePostError
from django.test import Client
from django.utils import translation
from rest_framework import exceptions as drf
from rest_framework_simplejwt.exceptions import InvalidToken

from tests.api.answers import ACTIONS, check_error
from tests.api.routes import ROUTES, VALUES
from tests.phone import Phone
from wxauth import exceptions
from wxauth.api.errors import exception_handler
from wxauth.exceptions import WxauthError

# What clients were promised: a code never changes, and so neither does its row.
TABLE = {
    "error": (500, "stop"),
    "invalid_input": (400, "fix_request"),
    "unknown_app": (400, "fix_request"),
    "not_registered": (404, "register"),
    "ticket_invalid": (400, "login_again"),
    "user_inactive": (403, "stop"),
    "token_invalid": (401, "login_again"),
    "phone_taken": (409, "choose"),
    "phone_data_disabled": (403, "press_phone_button"),
    "phone_number_invalid": (400, "press_phone_button"),
    "service_unavailable": (503, "retry"),
    "wechat_error": (502, "login_again"),
    "wechat_code_invalid": (400, "login_again"),
    "wechat_phone_code_invalid": (400, "press_phone_button"),
    "wechat_user_blocked": (403, "stop"),
    "wechat_snapshot_user": (403, "open_full_service"),
    "wechat_scope_missing": (403, "authorize"),
    "wechat_reauthorize": (401, "authorize"),
    "wechat_session_stale": (409, "login_again"),
    "wechat_data_invalid": (400, "stop"),
    "wechat_rate_limited": (429, "wait"),
    "wechat_quota_exceeded": (503, "wait"),
    "wechat_unavailable": (503, "login_again"),
    "wechat_timeout": (504, "login_again"),
    "wechat_config_error": (500, "stop"),
    "fresh_sign_in_required": (403, "login_again"),
    "identity_taken": (409, "choose"),
    "already_linked": (409, "choose"),
    "last_sign_in_method": (409, "choose"),
    "not_found": (404, "fix_request"),
    "merge_proof_invalid": (403, "login_again"),
    "merge_refused": (409, "stop"),
    "merge_running": (409, "wait"),
    "phone_input_invalid": (400, "correct_input"),
    "phone_country_not_allowed": (400, "correct_input"),
    "sms_disabled": (403, "stop"),
    "sms_rate_limited": (429, "wait"),
    "sms_unavailable": (503, "retry"),
    "sms_refused": (502, "stop"),
    "sms_code_invalid": (400, "correct_input"),
    "phone_required": (409, "bind_phone"),
    "password_login_failed": (400, "correct_input"),
    "too_many_attempts": (429, "wait"),
    "password_refused": (400, "correct_input"),
    "already_registered": (409, "login_again"),
    "referrer_unknown": (404, "correct_input"),
    "picture_code_invalid": (400, "correct_input"),
    "image_invalid": (400, "correct_input"),
    "not_offered": (501, "stop"),
    "state_invalid": (400, "authorize"),
    "authorization_refused": (403, "authorize"),
    "return_refused": (400, "fix_request"),
    "scan_invalid": (400, "authorize"),
    "scan_taken": (409, "stop"),
}
CLASSES = [
    kind
    for _, kind in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(kind, WxauthError)
]


def test_each_class_has_a_code_of_its_own() -> None:
    assert len({kind.code for kind in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize("kind", CLASSES)
def test_each_class_stands_in_the_table(kind: type[WxauthError]) -> None:
    assert TABLE[kind.code] == (kind.status, kind.action)
    assert kind.action in ACTIONS
    assert kind.detail.endswith(".")
    assert kind.__doc__


FOREIGN = [
    (drf.NotAuthenticated(), 401, "not_authenticated"),
    (drf.AuthenticationFailed(), 401, "token_invalid"),
    (InvalidToken(), 401, "token_invalid"),
    (drf.Throttled(1.5), 429, "rate_limited"),
    (drf.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
    (drf.UnsupportedMediaType("x"), 415, "unsupported_media_type"),
    (drf.ParseError(), 400, "malformed_request"),
    (SuspiciousOperation(), 400, "malformed_request"),
    (UnreadablePostError(), 400, "malformed_request"),
    (RequestDataTooBig(), 413, "body_too_large"),
    (Http404(), 404, "not_found"),
    (drf.NotFound(), 404, "not_found"),
    (PermissionDenied(), 403, "permission_denied"),
    (drf.PermissionDenied(), 403, "permission_denied"),
    (drf.ValidationError({"a": ["b"]}), 400, "invalid_input"),
    (OperationalError(), 503, "service_unavailable"),
    (InterfaceError(), 503, "service_unavailable"),
]


@pytest.mark.parametrize(
    ("error", "status", "code"), FOREIGN, ids=[type(row[0]).__name__ for row in FOREIGN]
)
def test_failure_of_a_library_gets_our_body(error: Exception, status: int, code: str) -> None:
    response: Any = exception_handler(error, {})
    assert (response.status_code, response.data["code"]) == (status, code)
    assert (
        {"code", "detail", "action"} <= set(response.data) <= {"code", "detail", "action", "fields"}
    )
    assert response.data["action"] in ACTIONS
    assert response.has_header("WWW-Authenticate") == (status == 401)


def test_wait_is_told_in_whole_seconds_and_not_too_short() -> None:
    response: Any = exception_handler(drf.Throttled(1.5), {})
    assert response["Retry-After"] == "2"


@pytest.mark.parametrize("error", [ValueError(), KeyError(), IntegrityError(), DatabaseError()])
def test_what_nobody_foresaw_is_not_hidden(error: Exception) -> None:
    assert exception_handler(error, {}) is None


@pytest.mark.parametrize("code", ["made-up", "<b>", "{code}", "%s"])
def test_fields_name_what_is_wrong_and_quote_nothing(api: Any, db: None, code: str) -> None:
    response = api.patch("/api/me", {}, format="json")
    check_error(response, 401)
    response = api.post("/api/register_simple", {"code": code, "ticket": code}, format="json")
    body = check_error(response, 400, "invalid_input")
    assert body["fields"] == {"non_field_errors": ["Send either code or ticket."]}
    assert code not in response.content.decode()


class TestLanguage:
    ENGLISH, CHINESE = "Please sign in first.", "请先登录。"

    @pytest.mark.parametrize(
        ("accepted", "language", "detail"),
        [
            ("en", "en", ENGLISH),
            ("en-GB,en;q=0.9", "en-gb", ENGLISH),
            ("zh-CN", "zh-hans", CHINESE),
            ("zh_CN", "en", ENGLISH),  # WeChat's spelling, but no language tag
            ("zh-Hans", "zh-hans", CHINESE),
            ("ZH-HANS-CN", "zh-hans", CHINESE),
            ("zh", "zh-hans", CHINESE),
            ("zh-CN,zh;q=0.9,en;q=0.8", "zh-hans", CHINESE),
            ("en;q=0.8,zh-CN;q=0.9", "zh-hans", CHINESE),
            ("zh-TW", "zh-hans", CHINESE),
            ("zh-Hant-HK", "zh-hans", CHINESE),
            ("fr", "en", ENGLISH),
            ("fr-CH, de;q=0.9", "en", ENGLISH),
            ("", "en", ENGLISH),
            ("*", "en", ENGLISH),
            ("xx-nonsense;;q=2", "en", ENGLISH),
            ("zh-" * 5000, "en", ENGLISH),
            ("é\x00", "en", ENGLISH),
        ],
        ids=lambda value: ascii(value)[:24],
    )
    def test_answer_speaks_the_language_that_is_accepted(
        self, db: None, accepted: str, language: str, detail: str
    ) -> None:
        """There is no LocaleMiddleware in the settings of the tests."""
        response = Client().get("/api/me", headers={"Accept-Language": accepted})
        assert (response["Content-Language"], response.json()["detail"]) == (language, detail)
        assert "Accept-Language" in response["Vary"]

    @pytest.mark.parametrize(
        ("accepted", "language", "detail"),
        [
            ("fr", "zh-hans", CHINESE),
            ("", "zh-hans", CHINESE),
            ("zh-Hant", "zh-hans", CHINESE),
            ("zh-CN", "zh-hans", CHINESE),
            ("en", "en", ENGLISH),
            ("en-US", "en", ENGLISH),
        ],
    )
    def test_project_whose_default_is_chinese(
        self, db: None, settings: Any, accepted: str, language: str, detail: str
    ) -> None:
        settings.LANGUAGES = list(settings.LANGUAGES)  # lets Django forget what it has read
        settings.LANGUAGE_CODE = "zh-hans"
        response = Client().get("/api/me", headers={"Accept-Language": accepted})
        assert (response["Content-Language"], response.json()["detail"]) == (language, detail)

    def test_with_locale_middleware_the_answer_is_the_same(self, db: None, settings: Any) -> None:
        middleware = "django.middleware.locale.LocaleMiddleware"
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, middleware]
        with translation.override("en"):  # the middleware leaves the thread in the last language
            response = Client().get("/api/me", headers={"Accept-Language": "zh-CN"})
        body = response.json()
        assert (response["Content-Language"], body["detail"]) == ("zh-hans", self.CHINESE)

    @pytest.mark.parametrize("route", ROUTES[4:], ids=lambda route: route.name)
    def test_each_sentence_about_a_field_is_chinese_too(
        self, member: Phone, settings: Any, route: Any
    ) -> None:
        """Many of them are DRF's, which has no translation for some."""
        settings.WXAUTH_THROTTLE_RATES = {"address": None, "person": None}
        headers = {"Authorization": f"Bearer {member.tokens['access']}", "Accept-Language": "zh-CN"}
        sentences = set()
        for name, field in route.fields.items():
            values = {**VALUES, "oversized": f'"{"x" * (field.limit + 1)}"'}
            for kind in set(values) - field.takes:
                body = route.json(name, values[kind])
                response = Client().generic(
                    route.method, f"/api/{route.name}", body, "application/json", headers=headers
                )
                fields = response.json().get("fields", {})
                sentences |= {text for texts in fields.values() for text in texts}
        foreign = {text for text in sentences if not any("一" <= c <= "鿿" for c in text)}
        assert sentences or not route.fields or route.name == "check_token"
        assert not foreign


class TestHeaders:
    """On what works as on what does not; answers.check_error looks at the latter."""

    def test_nothing_is_cached_and_the_language_is_told(self, phone: Phone) -> None:
        answers = [
            phone.sign_in("login"),
            phone.sign_in("authorize"),
            phone.post("check_token", {"token": phone.tokens["access"]}),
            phone.client.get("/api/me"),
            phone.bind_phone(),
            phone.post("refresh_token", {"refresh": phone.tokens["refresh"]}),
            phone.post("logout"),
        ]
        assert [answer.status_code for answer in answers] == [404, 201, 200, 200, 200, 200, 204]
        for answer in answers:
            assert "no-store" in answer["Cache-Control"]
            assert "private" in answer["Cache-Control"]
            assert "Accept-Language" in answer["Vary"]
            assert answer["Content-Language"] == "en"


class TestDatabaseOutage:
    """A database that is really gone, not one that is said to be."""

    @pytest.fixture
    def _gone(self) -> Iterator[None]:
        """Let each new connection lead nowhere."""
        before = dict(connection.settings_dict)
        connection.close()
        if connection.vendor == "sqlite":
            connection.settings_dict["NAME"] = "/no/such/folder/db.sqlite3"
        else:
            connection.settings_dict |= {"HOST": "127.0.0.1", "PORT": "1"}
        yield
        connection.close()
        connection.settings_dict.update(before)

    @pytest.mark.django_db(transaction=True)
    def test_unreachable_database_is_a_503_on_each_route(
        self, make_phone: Any, request: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        phone = make_phone()
        phone.sign_in()
        request.getfixturevalue("_gone")
        answers = [
            phone.sign_in("login"),
            phone.sign_in("authorize"),
            phone.post("check_token", {"token": phone.tokens["access"]}),
            phone.client.get("/api/me"),
            phone.bind_phone(),
            phone.post("refresh_token", {"refresh": phone.tokens["refresh"]}),
            phone.post("logout"),
        ]
        for answer in answers:
            body = check_error(answer, 503, "service_unavailable")
            assert set(body) == {"code", "detail", "action"}
            assert body["action"] == "retry"
            assert answer["Retry-After"] == "2"
        errors = [record for record in caplog.records if record.name == "wxauth.api"]
        assert [record.levelname for record in errors].count("ERROR") == len(answers)

    @pytest.mark.database_server
    @pytest.mark.django_db(transaction=True)
    def test_connection_that_the_server_cuts_is_a_503_once(self, make_phone: Any) -> None:
        phone = make_phone()
        phone.sign_in()
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SELECT pg_backend_pid()")
                end = "SELECT pg_terminate_backend(%s)"
            else:
                cursor.execute("SELECT CONNECTION_ID()")
                end = "KILL %s"
            (number,) = cursor.fetchone()
        other = connection.copy()
        try:
            with other.cursor() as cursor:
                cursor.execute(end, [number])
        finally:
            other.close()
        check_error(phone.client.get("/api/me"), 503, "service_unavailable")
        connection.close_if_unusable_or_obsolete()  # as Django does after each request
        assert phone.client.get("/api/me").status_code == 200
