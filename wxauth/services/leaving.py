"""Leaving: the request, the days in which it can be called off, and the deletion itself."""

import logging
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import IntegrityError, models
from django.db.models import Model, ProtectedError, Q, QuerySet, RestrictedError
from django.utils import timezone

from wxauth import session_keys, transactions
from wxauth.conf import HostUser, conf
from wxauth.devices import NOWHERE, Device
from wxauth.models import (
    AuditEvent,
    DeletionRequest,
    LoginSession,
    Merge,
    MergeStep,
    PhoneNumber,
    Referral,
    SmsCode,
)
from wxauth.models.leaving import ERROR_LENGTH
from wxauth.services import audit
from wxauth.services.avatars import forget_picture_of
from wxauth.services.freshness import require_fresh
from wxauth.services.locking import lock_entrant, lock_people
from wxauth.services.merge_plans import merged_users
from wxauth.services.sessions import end_all
from wxauth.signals import account_deleted, deletion_cancelled, deletion_requested

logger = logging.getLogger("wxauth.leaving")

# What stays: the trail, without its addresses, and the tree of invitations, without the scenes.
# The request itself goes last.
KEPT: tuple[type[Model], ...] = (AuditEvent, Referral, DeletionRequest)


class Outcome(StrEnum):
    """What has become of a request in one run."""

    DELETED = "deleted"
    CAME_BACK = "came back"
    NOT_THERE = "not there"  # carried out or called off meanwhile, or another process is at it
    FAILED = "failed"


class _Refused(Exception):
    """Rows of the project forbid to delete the user."""


def request_deletion(*, session: LoginSession, device: Device = NOWHERE) -> DeletionRequest:
    """
    Ask for the deletion of the signed-in user's account, and end all sessions of the user.

    It is due after ``WXAUTH_DELETION_DELAY``. A second request changes nothing. Raise
    ``FreshSignInRequired``, or ``TokenInvalid`` when the account has gone meanwhile.
    """
    require_fresh(session)

    def step() -> tuple[DeletionRequest, list[UUID]]:
        lock_entrant(session.user)
        now = timezone.now()
        return _ask(
            session.user,
            source=DeletionRequest.Source.USER,
            now=now,
            due_at=now + conf.deletion_delay,
            device=device,
            app=session.app,
        )

    request, sids = transactions.run(step)
    session_keys.forget(sids)
    return request


def delete_now(*, session: LoginSession, device: Device = NOWHERE) -> Outcome:
    """
    Delete the account of the signed-in user at once, for clients that know no days of grace.

    When the project's rows forbid it, all sessions are ended and the request stays, to be carried
    out later. Raise ``TokenInvalid`` when the account has gone meanwhile.
    """

    def step() -> tuple[DeletionRequest, list[UUID], datetime]:
        lock_entrant(session.user)
        now = timezone.now()
        source = DeletionRequest.Source.USER
        request, sids = _ask(
            session.user, source=source, now=now, due_at=now, device=device, app=session.app
        )
        if request.due_at > now:  # asked for before, with days of grace
            DeletionRequest.objects.filter(pk=request.pk).update(due_at=now)
        return request, sids, now

    request, sids, now = transactions.run(step)
    session_keys.forget(sids)
    return carry_out(pk=request.pk, now=now)


def request_deletion_for_wechat(*, user: HostUser) -> list[UUID]:
    """
    Ask for the deletion of an account whose WeChat account was closed. It is due at once: there
    is nobody left who could come back. For use in a transaction; return the sessions it has ended.
    """
    now = timezone.now()
    return _ask(user, source=DeletionRequest.Source.WECHAT, now=now, due_at=now)[1]


def withdraw_deletion(*, request: DeletionRequest, actor: HostUser | None = None) -> bool:
    """Take a request back in the name of the operator; False when it is gone already."""

    def step() -> bool:
        if not DeletionRequest.objects.withdraw(request):
            return False
        _note_cancelled(request, actor=actor)
        return True

    return transactions.run(step)


def due_requests(*, now: datetime) -> list[int]:
    """Return the keys of the requests to carry out in a run that began at ``now``."""
    return list(DeletionRequest.objects.due(now=now).values_list("pk", flat=True))


def carry_out(*, pk: int, now: datetime) -> Outcome:
    """
    Delete the account of this request in one transaction, or do nothing at all.

    With it go the users who have been merged into this one: they are the same person. When
    ``WXAUTH_ERASE_USER`` cannot, the request keeps the reason, and the next run tries again.
    """
    # In a transaction of its own, which says at once when another process is at it. The locks
    # below come in the order of a sign-in, which reaches the request last, and they wait.
    request = transactions.run(lambda: DeletionRequest.objects.claim(pk, now=now))
    if request is None:
        return Outcome.NOT_THERE
    user = request.user
    try:
        return transactions.run(lambda: _delete(pk, user, now=now))
    except Exception as error:  # any: the function is the project's
        reason = str(error) if isinstance(error, _Refused) else type(error).__name__
        logger.error("deletion request %s: %s", pk, reason, exc_info=error)
    DeletionRequest.objects.filter(pk=pk).update(
        failed_at=timezone.now(), error=reason[:ERROR_LENGTH]
    )
    return Outcome.FAILED


def _ask(
    user: HostUser,
    *,
    source: str,
    now: datetime,
    due_at: datetime,
    device: Device = NOWHERE,
    app: str = "",
    actor: HostUser | None = None,
) -> tuple[DeletionRequest, list[UUID]]:
    request, is_new = DeletionRequest.objects.ask(user, source=source, now=now, due_at=due_at)
    if is_new:
        audit.record(
            AuditEvent.Kind.DELETION_REQUESTED,
            user=user,
            actor=actor,
            device=device,
            app=app,
            source=source,
            due_at=request.due_at.isoformat(),
        )
        transactions.send_after_commit(deletion_requested, user=user, due_at=request.due_at)
    return request, end_all(user)


def _delete(pk: int, user: HostUser, *, now: datetime) -> Outcome:
    before = {other.pk for other in merged_users(user)}
    locked = lock_people(user.pk, *before)
    request = DeletionRequest.objects.claim(pk, now=now)
    if request is None:
        return Outcome.NOT_THERE
    others = [locked.get(other.pk) for other in merged_users(user)]
    if None in others or len(others) != len(before):
        raise IntegrityError("a merge was done or undone meanwhile: look again")
    user = locked[user.pk]
    if LoginSession.objects.open_of(user, now=timezone.now()).exists():
        # The request ended all sessions: this one began before it did, and was opened after it.
        DeletionRequest.objects.withdraw(request)
        _note_cancelled(request)
        return Outcome.CAME_BACK
    request.delete()
    for each in (*others, user):
        _erase(each, source=request.source)
    return Outcome.DELETED


def _erase(user: HostUser, *, source: str) -> None:
    uid = str(user.pk)
    forget_picture_of(user)
    _erase_rows(user)
    audit.record(AuditEvent.Kind.DELETED, user=user, source=source)
    try:
        conf.erase_user(user)
    except (ProtectedError, RestrictedError) as error:
        # Not as it is: an IntegrityError would be taken for a lost race and tried again.
        raise _Refused(_reason(error)) from error
    transactions.send_after_commit(account_deleted, uid=uid)


def _erase_rows(user: HostUser) -> None:
    uid = str(user.pk)
    # What was sent to the number. The tallies know numbers by a digest, and end with their day.
    numbers = PhoneNumber.objects.filter(user=user).values_list("number", flat=True)
    SmsCode.objects.filter(number__in=list(numbers)).delete()
    for rows in owned_rows(user):
        rows.delete()
    Referral.objects.filter(referee=user).update(scene="")
    # What happened stays, and when; from where, and with what, does not.
    AuditEvent.objects.filter(user_key=uid).update(user_agent="", ip_address=None, facts={})
    AuditEvent.objects.filter(actor=user).update(user_agent="", ip_address=None)
    # That they were merged, too, but not with what: a step may hold a number, or a name.
    MergeStep.objects.filter(Q(merge__winner_key=uid) | Q(merge__loser_key=uid)).delete()
    for role in ("winner", "loser", "confirmed_by"):
        Merge.objects.filter(**{role: user}).update(**{role: None})


def owned_rows(user: HostUser) -> list[QuerySet]:
    """Return a query for each table of ours with rows that belong to the user, but ``KEPT``."""
    tables = [
        model
        for model in apps.get_app_config("wxauth").get_models()
        if model not in KEPT and _is_owner(model)
    ]
    # Sessions first: they point to identities.
    tables.sort(key=lambda model: model is not LoginSession)
    return [model._default_manager.filter(user=user) for model in tables]


def _is_owner(model: type[Model]) -> bool:
    fields = {field.name: field for field in model._meta.fields}
    field = fields.get("user")
    return isinstance(field, models.ForeignKey) and field.remote_field.model is get_user_model()


def _note_cancelled(request: DeletionRequest, *, actor: HostUser | None = None) -> None:
    audit.record(AuditEvent.Kind.DELETION_CANCELLED, user=request.user, actor=actor)
    transactions.send_after_commit(deletion_cancelled, user=request.user)


def _reason(error: ProtectedError | RestrictedError) -> str:
    rows = (
        error.protected_objects if isinstance(error, ProtectedError) else error.restricted_objects
    )
    kinds = sorted({row._meta.label for row in rows})
    return f"{type(error).__name__}: rows of {', '.join(kinds)} must not lose their user"
