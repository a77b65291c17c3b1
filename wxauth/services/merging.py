"""Two users of one person become one: plan, confirm, merge, and within 30 days undo."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db.models import Q
from django.utils import timezone

from wxauth import session_keys, transactions
from wxauth.conf import HostUser
from wxauth.devices import NOWHERE, Device
from wxauth.exceptions import MergeProofInvalid, MergeRefused, TokenInvalid
from wxauth.models import AuditEvent, LoginSession, Merge, MergeStep, WechatIdentity
from wxauth.models.merge import UNDO_PERIOD
from wxauth.services import own_rows
from wxauth.services.audit import record
from wxauth.services.freshness import require_fresh
from wxauth.services.locking import lock_people, lock_users
from wxauth.services.merge_plans import check_allowed, is_merged, plan_merge, reload_users
from wxauth.services.moving import move, move_back
from wxauth.services.relations import find_relations
from wxauth.services.sessions import check_token
from wxauth.signals import merge_undone, user_logged_out, users_merged

State = Merge.State


def propose_merge(*, winner: HostUser, loser: HostUser) -> Merge:
    """Plan, and write the plan down. Raise what ``plan_merge`` raises."""
    plan = plan_merge(winner=winner, loser=loser)
    return transactions.run(
        lambda: Merge.objects.plan(winner=plan.winner, loser=plan.loser, plan=plan.as_json())
    )


def propose_own_merge(*, session: LoginSession, other_access: str) -> Merge:
    """
    Plan the merge of the account behind ``other_access`` into the signed-in one.

    Both sides must have been signed in within the last minutes. Raise ``MergeProofInvalid`` for
    an access token that is not good, ``FreshSignInRequired``, and what ``plan_merge`` raises.
    """
    return propose_merge(winner=session.user, loser=_proved(session, other_access))


def confirm_own_merge(
    *, session: LoginSession, other_access: str, merge_id: int, device: Device = NOWHERE
) -> Merge:
    """
    Do the merge that ``propose_own_merge`` has planned; both sides prove themselves once more.

    Raise what that raises, and ``MergeRefused`` for the merge of other users.
    """
    loser = _proved(session, other_access)
    merge = Merge.objects.filter(pk=merge_id, winner=session.user, loser=loser).first()
    if merge is None:
        raise MergeRefused(reason="no such merge of these two users is planned")
    return run_merge(merge=merge, actor=session.user, device=device)


def run_merge(
    *,
    merge: Merge,
    actor: HostUser | None = None,
    device: Device = NOWHERE,
    progress: Callable[[int], None] = lambda rows: None,
) -> Merge:
    """
    Confirm a planned merge, as ``actor``, and do it, in one transaction; return it when done.

    All of it happens, or nothing: one that was killed is finished by calling this again.
    ``progress`` is told of each chunk of rows. Raise ``MergeRefused`` or ``MergeRunning``.
    """
    if merge.state == State.DONE:
        return merge
    transactions.run(lambda: _confirm(merge, actor))
    try:
        sids = transactions.run(lambda: _execute(merge, actor, device, progress))
    except BaseException:
        # Not when the process is killed: then the next run finds it confirmed.
        Merge.objects.filter(pk=merge.pk, state=State.CONFIRMED).update(state=State.PLANNED)
        raise
    session_keys.forget(sids)
    merge.refresh_from_db()
    return merge


def undo_merge(*, merge: Merge, actor: HostUser | None = None, device: Device = NOWHERE) -> Merge:
    """
    Give back to the merged user what moved and is still the other's, and let them in again.

    Rows made since stay; sessions stay ended. Raise ``MergeRefused`` when it is not done, more
    than 30 days old, or one of the users is gone or was merged again.
    """
    sids = transactions.run(lambda: _undo(merge, actor, device))
    session_keys.forget(sids)
    merge.refresh_from_db()
    return merge


def collect_late_rows() -> int:
    """
    Move what has come to merged users since, and return how many rows that were.

    A request of theirs that was under way may add a row when the merge is over. Safe to run from
    cron; one transaction for each merge of the last 30 days.
    """
    recent = Merge.objects.filter(state=State.DONE, done_at__gt=timezone.now() - UNDO_PERIOD)
    merges = list(recent.order_by("done_at").defer("plan"))
    return sum(transactions.run(partial(_move_late, merge)) for merge in merges)


def forget_merges() -> int:
    """
    Delete what it takes to undo merges, where nobody can any more: too old, undone, users gone.

    Return how many steps that were.
    """
    limit = timezone.now() - UNDO_PERIOD
    Merge.objects.filter(state=State.PLANNED, created_at__lt=limit).delete()
    gone = Q(merge__winner=None) | Q(merge__loser=None) | Q(merge__state=State.UNDONE)
    old = MergeStep.objects.filter(Q(merge__done_at__lt=limit) | gone)
    deleted = 0
    # One by one: a step holds up to 2000 keys, and a lock must be short.
    for key in old.values_list("pk", flat=True).iterator():
        deleted += MergeStep.objects.filter(pk=key).delete()[0]
    return deleted


def _proved(session: LoginSession, other_access: str) -> HostUser:
    try:
        other = check_token(access=other_access).login_session
    except TokenInvalid as error:
        raise MergeProofInvalid(reason=error.reason) from None
    require_fresh(session)
    require_fresh(other)
    return other.user


# Doing it


def _confirm(merge: Merge, actor: HostUser | None) -> None:
    if Merge.objects.filter(pk=merge.pk, state=State.DONE).exists():
        return
    # Before the locks, for which one would wait until a running merge ends.
    winner, loser = _users_of(merge)
    check_allowed(winner, loser, merge=merge)
    locked = lock_users(winner.pk, loser.pk)
    row = Merge.objects.select_for_update().get(pk=merge.pk)
    if row.state in (State.DONE, State.UNDONE):
        return  # somebody else has, meanwhile; _execute will tell
    if len(locked) != 2:
        raise MergeRefused(reason="one of the users is gone")
    check_allowed(locked[winner.pk], locked[loser.pk], merge=merge)
    row.state, row.confirmed_at, row.confirmed_by = State.CONFIRMED, timezone.now(), actor
    row.save(update_fields=["state", "confirmed_at", "confirmed_by"])


def _lock(merge: Merge) -> tuple[Merge, dict[Any, HostUser]]:
    """Lock the users of a merge with all that leads to them, then the merge; as they are now."""
    # Nothing is read before: MySQL shows a transaction, by its own default, the moment of its
    # first plain read.
    locked = lock_people(merge.winner_id, merge.loser_id)
    return Merge.objects.select_for_update().get(pk=merge.pk), locked


def _users_of(merge: Merge) -> tuple[HostUser, HostUser]:
    if merge.winner is None or merge.loser is None:
        raise MergeRefused(reason="one of the users is gone")
    winner, loser = reload_users(merge.winner, merge.loser)
    return winner, loser


def _execute(
    merge: Merge, actor: HostUser | None, device: Device, progress: Callable[[int], None]
) -> list[Any]:
    """Return the ids of the sessions that ended."""
    merge, locked = _lock(merge)
    if merge.state == State.DONE:
        return []
    winner, loser = locked.get(merge.winner_id), locked.get(merge.loser_id)
    if merge.state != State.CONFIRMED or winner is None or loser is None:
        raise MergeRefused(reason="it is not confirmed, or one of the users is gone")
    check_allowed(winner, loser, merge=merge)
    own_rows.lock_inviters(winner, loser)
    now = timezone.now()
    own_rows.fill_profile(merge, winner=winner, loser=loser)
    own_rows.free_phone(merge, winner=winner, loser=loser)
    moved = _move_all(merge, winner, loser, progress=progress)
    own_rows.clear_conflicts(merge, winner=winner)
    loser.is_active = False
    loser.save(update_fields=["is_active"])
    sids = own_rows.revoke_sessions(loser, now=now)
    merge.state, merge.done_at = State.DONE, now
    merge.save(update_fields=["state", "done_at"])
    facts: dict[str, Any] = {
        "merge": merge.pk,
        "winner": merge.winner_key,
        "loser": merge.loser_key,
    }
    for user in (winner, loser):
        record(AuditEvent.Kind.MERGED, user=user, actor=actor, device=device, rows=moved, **facts)
    if sids:
        transactions.send_after_commit(user_logged_out, user=loser, sessions=sids)
    transactions.send_after_commit(users_merged, winner=winner, loser=loser, merge=merge)
    return sids


def _move_all(merge: Merge, winner: HostUser, loser: HostUser, **how: Any) -> int:
    moved = 0
    for relation in find_relations(winner, loser):
        if not relation.why_left:
            stays = own_rows.stays(relation, winner=winner, loser=loser)
            moved += move(relation, stays, merge=merge, winner=winner, loser=loser, **how)
    return moved


def _move_late(merge: Merge) -> int:
    merge, locked = _lock(merge)
    winner, loser = locked.get(merge.winner_id), locked.get(merge.loser_id)
    if merge.state != State.DONE or winner is None or loser is None:
        return 0
    if not winner.is_active or loser.is_active or is_merged(winner):
        return 0
    own_rows.lock_inviters(winner, loser)
    return _move_all(merge, winner, loser, progress=lambda rows: None, note_left=False)


# Undoing it


def _undo(merge: Merge, actor: HostUser | None, device: Device) -> list[Any]:
    """Return the ids of the winner's sessions that ended."""
    merge, locked = _lock(merge)
    if not merge.can_be_undone(timezone.now()):
        raise MergeRefused(reason="it is not done, or too old to be undone")
    winner, loser = locked.get(merge.winner_id), locked.get(merge.loser_id)
    if winner is None or loser is None:
        raise MergeRefused(reason="one of the users is gone")
    if is_merged(winner):
        raise MergeRefused(reason="the user who stayed was merged since: undo that first")
    sids = _end_sessions_of_moved(merge, winner)
    missing = _take_back(merge, winner, loser)
    loser.is_active = True
    loser.save(update_fields=["is_active"])
    merge.state, merge.undone_at = State.UNDONE, timezone.now()
    merge.save(update_fields=["state", "undone_at"])
    facts: dict[str, Any] = {
        "merge": merge.pk,
        "winner": merge.winner_key,
        "loser": merge.loser_key,
    }
    for user in (winner, loser):
        record(
            AuditEvent.Kind.MERGE_UNDONE,
            user=user,
            actor=actor,
            device=device,
            missing=missing,
            **facts,
        )
    if sids:
        transactions.send_after_commit(user_logged_out, user=winner, sessions=sids)
    transactions.send_after_commit(merge_undone, winner=winner, loser=loser, merge=merge)
    return sids


def _take_back(merge: Merge, winner: HostUser, loser: HostUser) -> dict[str, int]:
    """Undo the steps, the last first; return by model how many rows could not go back."""
    missing: dict[str, int] = {}
    # Their keys at once, each step alone: it may hold thousands of rows' keys.
    for key in list(merge.steps.order_by("-pk").values_list("pk", flat=True)):
        step = merge.steps.get(pk=key)
        if step.kind == MergeStep.Kind.MOVED:
            refused = len(move_back(step, winner=winner, loser=loser))
        else:
            refused = not own_rows.undo(step, winner=winner, loser=loser)
        if refused:
            missing[step.model] = missing.get(step.model, 0) + refused
    return missing


def _end_sessions_of_moved(merge: Merge, winner: HostUser) -> list[Any]:
    # Who comes in by an identity that goes back must not stay in with the winner's tokens.
    steps = merge.steps.filter(kind=MergeStep.Kind.MOVED, model=WechatIdentity._meta.label)
    moved = [key for keys in steps.values_list("keys", flat=True) for key in keys]
    return own_rows.revoke_sessions(winner, now=timezone.now(), identities=Q(identity__in=moved))
