"""``manage.py wxauth_export``."""

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from wxauth.models import AuditEvent

pytestmark = pytest.mark.django_db


def test_export_of_a_user_is_one_document(make_user: Any, capsys: Any) -> None:
    make_user("somebody-else")
    user = make_user("zoe")
    call_command("wxauth_export", str(user.pk))
    body = json.loads(capsys.readouterr().out)
    assert str(body["uid"]) == str(user.pk)
    assert "zoe" in str(body["account"][user.USERNAME_FIELD])
    assert body["identities"] == []
    event = AuditEvent.objects.get()
    assert (event.kind, event.user_id, event.facts) == ("exported", user.pk, {"by": "command"})


@pytest.mark.parametrize(
    "uid", ["nobody", "0", "", "9a2cc503-3e80-4608-b7dc-afeea8dff50b", "9" * 400, "1; drop"]
)
def test_unknown_user_is_an_error(uid: str) -> None:
    with pytest.raises(CommandError, match="no user"):
        call_command("wxauth_export", uid)
