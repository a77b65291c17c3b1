"""Everything that is stored about a user, as one JSON document that is written piece by piece."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet
from django.utils import timezone

from wxauth.conf import HostUser, conf
from wxauth.devices import NOWHERE, Device
from wxauth.models import (
    AccountNumber,
    AuditEvent,
    DeletionRequest,
    InviteCode,
    LoginSession,
    Merge,
    MergeStep,
    PhoneNumber,
    ProviderToken,
    Referral,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)
from wxauth.services import audit
from wxauth.services.merge_plans import merged_users
from wxauth.signals import collecting_export
from wxauth.transactions import SENDER

PAGE = 500  # rows in memory at a time
ACCOUNT = ("first_name", "last_name", "date_joined", "last_login")


def export(
    *,
    user: HostUser,
    actor: HostUser | None = None,
    device: Device = NOWHERE,
    app: str = "",
    by: str = "api",
) -> Iterator[str]:
    """
    Return the pieces of a JSON object with all that is stored about ``user``; of users who have
    been merged into this one, and are the same person, what has stayed with them.

    Long tables are read page by page while it is written, so memory stays flat however much there
    is. The project adds blocks of its own by the signal ``collecting_export``, which is sent
    before the first piece: a receiver that raises is an error, and not half a document.
    """
    blocks: dict[str, Any] = {}
    added: Any
    for _receiver, added in collecting_export.send(sender=SENDER, user=user):
        blocks |= added or {}
    audit.record(AuditEvent.Kind.EXPORTED, user=user, actor=actor, device=device, app=app, by=by)
    return _write({**_own_blocks(user), **{k: v for k, v in blocks.items() if k not in OWN}})


def _own_blocks(user: HostUser) -> dict[str, Any]:
    return {
        "exported_at": timezone.now(),
        "uid": user.pk,
        **{name: read(user) for name, read in OWN.items()},
    }


def _write(document: dict[str, Any]) -> Iterator[str]:
    mark = "{"
    for name, value in document.items():
        yield f"{mark}\n{json.dumps(name)}: "
        mark = ","
        if isinstance(value, Iterable) and not isinstance(value, (str, bytes, dict, list, tuple)):
            yield from _write_list(value)
        else:
            yield _json(value)
    yield "\n}\n"


def _write_list(items: Iterable[Any]) -> Iterator[str]:
    mark = "["
    for item in items:
        yield f"{mark}\n{_json(item)}"
        mark = ","
    yield "[]" if mark == "[" else "\n]"


def _json(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)


def _pages(rows: QuerySet, *columns: str) -> Iterator[dict[str, Any]]:
    # By the primary key, not by a cursor: MySQL's driver reads the whole of that into memory.
    rows = rows.order_by("pk")
    last = None
    while True:
        rest = rows if last is None else rows.filter(pk__gt=last)
        page = list(rest.values("pk", *columns)[:PAGE])
        if not page:
            return
        last = page[-1]["pk"]
        for row in page:
            yield {name: row[name] for name in columns}


def _one(rows: QuerySet, *columns: str) -> dict[str, Any] | None:
    return rows.values(*columns).first()


def _account(user: HostUser) -> dict[str, Any]:
    model = get_user_model()
    names = [model.USERNAME_FIELD, model.get_email_field_name(), *ACCOUNT]
    known = {field.name for field in model._meta.concrete_fields}
    return {name: getattr(user, name) for name in dict.fromkeys(names) if name in known}


def _identities(user: HostUser) -> Iterator[dict[str, Any]]:
    aliases = {app.app_id: app.alias for app in conf.apps.values()}
    rows = WechatIdentity.objects.filter(user=user)
    columns = ("app_id", "openid", "unionid", "union_conflict_at", "created_at", "last_login_at")
    for row in _pages(rows, *columns):
        yield {"app": aliases.get(row["app_id"]), **row}


def _audit(user: HostUser) -> Iterator[dict[str, Any]]:
    rows = AuditEvent.objects.filter(user_key__in=[str(each.pk) for each in _person(user)])
    columns = ("kind", "at", "app", "user_agent", "ip_address", "actor_key", "facts")
    for row in _pages(rows, *columns):
        row["facts"].pop("holder", None)  # who else has the number or the unionid
        yield row


def _referral(user: HostUser) -> dict[str, Any] | None:
    return _one(Referral.objects.filter(referee=user), "referrer_id", "scene", "created_at")


def _merged(user: HostUser) -> list[dict[str, Any]]:
    """Return what is left of whoever was merged into the user, but sessions and audit trail."""
    return [
        {
            "uid": loser.pk,
            "account": _account(loser),
            **{name: OWN[name](loser) for name in ("profile", "phone", "invite_code", "referral")},
        }
        for loser in merged_users(user)
    ]


def _merges(user: HostUser) -> Iterator[dict[str, Any]]:
    """Yield the merges into the user, with the number that one has set free, if it has."""
    freed = MergeStep.objects.filter(
        kind=MergeStep.Kind.REMOVED, model=PhoneNumber._meta.label, merge__winner=user
    )
    numbers = {step.merge_id: step.data.get("number") for step in freed}
    columns = ("pk", "loser_key", "state", "done_at", "undone_at")
    for row in _pages(Merge.objects.filter(winner=user), *columns):
        number = numbers.get(row.pop("pk"))
        yield {**row, "freed_phone": number}


def _person(user: HostUser) -> list[HostUser]:
    return [user, *merged_users(user)]


# The columns of each table that are told. What is not named here is not: no password, no token.
OWN: dict[str, Callable[[HostUser], Any]] = {
    "account": _account,
    "profile": lambda user: _one(
        WechatProfile.objects.filter(user=user),
        "nickname",
        "avatar_url",
        "gender",
        "ext",
        "app",
        "consent_version",
        "consent_at",
        "created_at",
    ),
    "phone": lambda user: _one(
        PhoneNumber.objects.filter(user=user), "number", "source", "verified_at"
    ),
    "number": lambda user: _one(AccountNumber.objects.filter(user=user), "number"),
    "invite_code": lambda user: _one(InviteCode.objects.filter(user=user), "code", "created_at"),
    "identities": _identities,
    "unions": lambda user: _pages(
        WechatUnion.objects.filter(user=user), "scope", "unionid", "created_at"
    ),
    "provider_tokens": lambda user: _pages(
        ProviderToken.objects.filter(identity__user=user), "identity_id", "scope", "ends_at"
    ),
    "referral": _referral,
    "invited": lambda user: _pages(
        Referral.objects.filter(referrer=user), "referee_id", "created_at"
    ),
    "deletion": lambda user: _one(
        DeletionRequest.objects.filter(user=user), "requested_at", "due_at"
    ),
    "sessions": lambda user: _pages(
        LoginSession.objects.filter(user__in=_person(user)),
        "app",
        "user_agent",
        "ip_address",
        "created_at",
        "rotated_at",
        "expires_at",
        "revoked_at",
    ),
    "audit": _audit,
    "merges": _merges,
    "merged_users": _merged,
}
