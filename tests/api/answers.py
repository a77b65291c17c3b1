"""What each failure of the API looks like, whatever went wrong."""

import json
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection

from wxauth import models

ACTIONS = {
    "authorize",
    "bind_phone",
    "choose",
    "correct_input",
    "fix_request",
    "login_again",
    "open_full_service",
    "press_phone_button",
    "register",
    "retry",
    "stop",
    "wait",
}
COMMON = {"code", "detail", "action"}
# That a sign-in was refused is written down on purpose.
KEPT = {models.AuditEvent._meta.db_table: " WHERE kind <> 'sign_in_refused'"}
FURTHER = {"fields", "errcode", "rid", "ticket", "choices"}


def check_error(response: Any, status: int | None = None, code: str | None = None) -> Any:
    """Assert that this is one of our failures, with our body and nothing else; return the body."""
    where = f"{response.status_code} {response.content[:300]!r}"
    assert 400 <= response.status_code < 600, where
    if status is not None:
        assert response.status_code == status, where
    assert response["Content-Type"] == "application/json", where
    assert "no-store" in response["Cache-Control"], where
    assert "Accept-Language" in response["Vary"], where
    assert response["Content-Language"], where
    assert (response.status_code == 401) == response.has_header("WWW-Authenticate"), where
    body = json.loads(response.content.decode("utf-8"))
    assert COMMON <= set(body) <= COMMON | FURTHER, where
    assert body["detail"], where
    assert body["action"] in ACTIONS, where
    if code is not None:
        assert body["code"] == code, where
    return body


def check_refusal(response: Any, status: int | None = None, code: str | None = None) -> Any:
    """Assert that this is a failure, and the client's; return its body."""
    body = check_error(response, status, code)
    assert response.status_code < 500, response.content
    return body


def row_counts() -> dict[str, int]:
    """Return how many rows each table has that a request could write to. One query."""
    tables = [
        get_user_model(),
        models.AuditEvent,
        models.InviteCode,
        models.LoginSession,
        models.PhoneNumber,
        models.Referral,
        models.WechatIdentity,
        models.WechatProfile,
        models.WechatUnion,
    ]
    names = [table._meta.db_table for table in tables]
    counts = ", ".join(f"(SELECT COUNT(*) FROM {name}{KEPT.get(name, '')})" for name in names)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}")
        return dict(zip((table.__name__ for table in tables), cursor.fetchone(), strict=True))
