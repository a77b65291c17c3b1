"""Each field of each route with each value that a broken or hostile client can send."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from tests.api.answers import check_refusal, row_counts
from tests.api.routes import FORM_VALUES, ROUTES, VALUES, Route
from tests.phone import Phone
from wxauth.services.referrals import find_referrer

FIELDS = [
    pytest.param(route, name, id=f"{route.name}-{name}")
    for route in ROUTES
    for name in route.fields
]
TOLERANT = [param for param in FIELDS if param.values[0].fields[param.values[1]].takes]
# What is found wrong with a code, a number or data that was made up, and nothing else.
MADE_UP = {
    "wechat_code_invalid",
    "wechat_session_stale",
    "sms_code_invalid",
    "sms_rate_limited",
    "password_login_failed",
    "phone_required",
}
KINDS = {"json": "application/json", "form": "application/x-www-form-urlencoded"}

Send = Callable[[Route, bytes, str], Any]


@pytest.fixture(autouse=True)
def _no_limits(settings: Any) -> None:
    settings.WXAUTH_THROTTLE_RATES = {"address": None, "person": None}


@pytest.fixture
def send(member: Phone) -> Send:
    """Return a function that sends a body to a route, as the member where it needs one."""
    client = Client()  # raises what the view raises

    def send(route: Route, body: bytes, kind: str) -> Any:
        headers = {"Authorization": f"Bearer {member.tokens['access']}"} if route.signed_in else {}
        return client.generic(
            route.method.upper(), f"/api/{route.name}", body, KINDS.get(kind, kind), headers=headers
        )

    return send


def hostile(route: Route, name: str, kind: str) -> list[tuple[str, bytes]]:
    """Return the bodies that this field must be refused for, each with the name of its fault."""
    field = route.fields[name]
    values = VALUES if kind == "json" else FORM_VALUES
    write = route.json if kind == "json" else route.form
    bodies = [
        (fault, write(name, raw)) for fault, raw in values.items() if fault not in field.takes
    ]
    if name not in ("referrer", "scene"):
        for size in (field.limit + 1, field.limit + 1024):
            text = "x" * size
            if name == "avatar_url":
                text = f"https://example.com/{text}"
            raw = f'"{text}"' if kind == "json" else text
            if name == "ext":
                raw = f'{{"a": "{text}"}}'
                raw = raw if kind == "json" else quote(raw)
            bodies.append((f"{size} characters", write(name, raw)))
    return bodies


@pytest.mark.parametrize("kind", ["json", "form"])
@pytest.mark.parametrize(("route", "name"), FIELDS)
def test_bad_value_is_refused_and_nothing_is_written(
    send: Send, member: Phone, route: Route, name: str, kind: str
) -> None:
    rows = row_counts()
    got_through: dict[str, str] = {}
    for fault, body in hostile(route, name, kind):
        calls = len(member.simulator.requests)
        try:
            check_refusal(send(route, body, kind))
        except Exception as error:  # any: what is wanted is the list of all that get through
            got_through[fault] = repr(error)[:200]
        if fault not in route.fields[name].asks and len(member.simulator.requests) != calls:
            got_through[fault] = "WeChat was asked"
    assert not got_through
    assert row_counts() == rows


@pytest.mark.parametrize("kind", ["json", "form"])
@pytest.mark.parametrize(("route", "name"), TOLERANT)
def test_value_that_is_no_fault_passes(
    send: Send, member: Phone, route: Route, name: str, kind: str
) -> None:
    values = VALUES if kind == "json" else FORM_VALUES
    write = route.json if kind == "json" else route.form
    refused = {}
    for value in route.fields[name].takes & set(values):
        if route.name == "logout":
            member.sign_in("login")  # the last logout was one
        response = send(route, write(name, values[value]), kind)
        # The code and the data are made up: that alone is what may be found wrong.
        if response.status_code >= 400:
            body = check_refusal(response)
            if body["code"] not in MADE_UP:
                refused[value] = body
    assert not refused


@pytest.mark.database_server
@pytest.mark.parametrize("text", ["a\x00b", "\ud83d", "🙂" * 9, "\x85"], ids=ascii)
def test_useless_referrer_is_nobody_where_users_have_a_text_for_a_key(
    db: None, settings: Any, text: str
) -> None:
    settings.AUTH_USER_MODEL = "sessions.Session"  # any table whose key is a text
    assert find_referrer(text) is None
