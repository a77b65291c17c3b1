"""Merging: which rows move, which stay and why, who may be merged, and the way back."""

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.utils import timezone

from tests.host_app import models as host
from tests.services.merging import give_everything, merge, owners, rows, snapshot
from wxauth import services
from wxauth.exceptions import MergeRefused, MergeRunning, TokenInvalid
from wxauth.models import (
    AuditEvent,
    LoginSession,
    Merge,
    MergeStep,
    PhoneNumber,
    Referral,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)
from wxauth.services import moving
from wxauth.signals import merge_moving, merge_undoing, merge_undone, users_merged

pytestmark = pytest.mark.django_db

MakeUser = Callable[..., Any]


@pytest.fixture
def winner(make_user: MakeUser) -> Any:
    return make_user("winner")


@pytest.fixture
def loser(make_user: MakeUser) -> Any:
    return make_user("loser")


@pytest.fixture
def listen() -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Return a function that has a signal answered by a function, and collects its arguments."""
    connected = []

    def listen(signal: Any, answer: Callable[..., Any] = lambda **_: None) -> list[dict[str, Any]]:
        heard: list[dict[str, Any]] = []

        def receive(**arguments: Any) -> Any:
            heard.append(arguments)
            return answer(**arguments)

        signal.connect(receive)
        connected.append((signal, receive))
        return heard

    yield listen
    for signal, receive in connected:
        signal.disconnect(receive)


def refer(referee: Any, referrer: Any) -> Referral:
    return Referral.objects.create(referee=referee, referrer=referrer)


def lines(plan: services.MergePlan) -> dict[str, tuple[int, int]]:
    return {f"{line.model}.{line.field}": (line.moves, line.stays) for line in plan.lines}


# Host models


MOVING = [
    host.Order,
    host.Note,
    host.Passport,
    host.Vote,
    host.Subscription,
    host.Label,
    host.Seat,
    host.Mention,
]


def test_rows_of_every_shape_move_to_a_winner_who_has_none(winner: Any, loser: Any) -> None:
    give_everything(loser)
    merge(winner, loser)
    for model in MOVING:
        value = getattr(winner, host.USER_NAME) if model is host.Mention else winner.pk
        assert set(owners(model)) == {value}, model
    assert owners(host.Message, "author_id") == [winner.pk]
    assert owners(host.Ticket, "member_id") == [winner.pk]
    assert owners(host.Club.members.through, winner._meta.model_name + "_id") == [winner.pk]


def test_rows_of_others_are_not_touched(make_user: MakeUser, winner: Any, loser: Any) -> None:
    other = make_user()
    give_everything(other)
    before = snapshot()
    merge(winner, loser)
    after = snapshot()
    users = winner._meta.label
    assert {k: v for k, v in after.items() if k != users} == {
        k: v for k, v in before.items() if k != users
    }


def test_rows_that_collide_stay_with_the_loser_and_nothing_is_lost(winner: Any, loser: Any) -> None:
    give_everything(winner)
    give_everything(loser)
    counts = {label: len(found) for label, found in snapshot().items()}
    merge(winner, loser)
    assert {label: len(found) for label, found in snapshot().items()} == counts
    assert owners(host.Order) == [winner.pk] * 2
    for model in (host.Passport, host.Vote, host.Locker):
        assert owners(model) in ([winner.pk, loser.pk], sorted([winner.pk, loser.pk]))
    through = host.Club.members.through
    assert owners(through, winner._meta.model_name + "_id") == [winner.pk, loser.pk]


def test_condition_of_a_constraint_tells_which_rows_collide(winner: Any, loser: Any) -> None:
    give_everything(winner)
    give_everything(loser)
    merge(winner, loser)
    left = rows(host.Subscription).filter(user=loser)
    assert [(row.channel, row.active) for row in left] == [("news", True)]


def test_constraint_with_an_expression_is_left_to_the_database(winner: Any, loser: Any) -> None:
    host.Label.objects.create(user=winner, text="red")
    for text in ("blue", "RED", "green"):
        host.Label.objects.create(user=loser, text=text)
    merge(winner, loser)
    refused = ["RED"] if connection.features.supports_expression_indexes else []
    assert [row.text for row in host.Label.objects.filter(user=loser)] == refused
    assert host.Label.objects.count() == 4


def test_deferred_constraint_keeps_its_row_and_not_the_merge(winner: Any, loser: Any) -> None:
    host.Seat.objects.create(user=winner, row=1)
    for row in (1, 2):
        host.Seat.objects.create(user=loser, row=row)
    merge(winner, loser)
    assert [seat.row for seat in host.Seat.objects.filter(user=loser)] == [1]


def test_deferred_constraint_that_django_does_not_know_keeps_its_row(
    winner: Any, loser: Any
) -> None:
    is_there = connection.features.supports_deferrable_unique_constraints
    if is_there:
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE host_app_order ADD CONSTRAINT host_hidden UNIQUE (user_id, text)"
                " DEFERRABLE INITIALLY DEFERRED"
            )
    for user, text in ((winner, "a"), (loser, "a"), (loser, "b")):
        host.Order.objects.create(user=user, text=text)
    merge(winner, loser)
    left = [order.text for order in host.Order.objects.filter(user=loser)]
    assert left == (["a"] if is_there else [])


def test_check_constraint_keeps_its_row(winner: Any, loser: Any, make_user: MakeUser) -> None:
    other = make_user()
    host.Friendship.objects.create(giver=loser, taker=winner)
    host.Friendship.objects.create(giver=other, taker=loser)
    merge(winner, loser)
    pairs = set(host.Friendship.objects.values_list("giver", "taker"))
    assert pairs == {(loser.pk, winner.pk), (other.pk, winner.pk)}


def test_rights_do_not_move(winner: Any, loser: Any) -> None:
    give_everything(loser)
    merge(winner, loser)
    assert not winner.groups.exists()
    assert not winner.user_permissions.exists()
    assert owners(host.Grant) == [loser.pk]
    assert not type(winner)._default_manager.get(pk=winner.pk).has_perm("auth.add_user")


def test_row_whose_key_is_the_user_stays(winner: Any, loser: Any) -> None:
    host.Locker.objects.create(user=loser)
    merge(winner, loser)
    assert owners(host.Locker) == [loser.pk]


def test_part_of_the_user_moves_only_what_points_to_it(winner: Any, loser: Any) -> None:
    for user in (winner, loser):
        rows(host.Customer).model(pk=user.pk).save_base(raw=True)
        host.Invoice.objects.create(customer_id=user.pk)
    merge(winner, loser)
    assert owners(host.Invoice, "customer_id") == [winner.pk] * 2
    assert rows(host.Customer).filter(pk=loser.pk).exists()


def test_part_that_the_winner_lacks_keeps_its_rows(winner: Any, loser: Any) -> None:
    host.Customer(pk=loser.pk).save_base(raw=True)
    host.Invoice.objects.create(customer_id=loser.pk)
    plan = services.plan_merge(winner=winner, loser=loser)
    assert lines(plan)["host_app.Invoice.customer"] == (0, 1)
    merge(winner, loser)
    assert owners(host.Invoice, "customer_id") == [loser.pk]


def customer(user: Any, **fields: Any) -> Any:
    part = host.Customer(pk=user.pk, **fields)
    part.save_base(raw=True)
    return part


def test_nobody_becomes_their_own_boss_or_friend(
    winner: Any, loser: Any, make_user: MakeUser
) -> None:
    third = make_user()
    mine = customer(winner, boss=loser)
    other, third_part = customer(loser, boss=loser), customer(third, boss=loser)
    other.friends.add(mine, third_part)
    counts = host.Customer.friends.through.objects.count()
    merge(winner, loser)
    bosses = dict(rows(host.Customer).values_list("pk", "boss"))
    assert bosses == {winner.pk: loser.pk, loser.pk: loser.pk, third.pk: winner.pk}
    assert host.Customer.friends.through.objects.count() == counts
    assert set(mine.friends.values_list("pk", flat=True)) == {loser.pk, third.pk}


def test_table_that_django_does_not_manage_is_named_and_not_touched(
    winner: Any, loser: Any
) -> None:
    host.Order.objects.create(user=loser)
    plan = services.plan_merge(winner=winner, loser=loser)
    assert lines(plan)["host_app.Report.user"] == (0, 0)
    merge(winner, loser)
    assert owners(host.Order) == [winner.pk]


def test_many_rows_move_in_chunks(winner: Any, loser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "CHUNK", 3)
    host.Message.objects.bulk_create(host.Message(author=loser) for _ in range(10))
    host.Vote.objects.bulk_create(host.Vote(user=winner, poll=n) for n in range(0, 10, 2))
    host.Vote.objects.bulk_create(host.Vote(user=loser, poll=n) for n in range(10))
    seen: list[int] = []
    done = merge(winner, loser, progress=seen.append)
    assert owners(host.Message, "author_id") == [winner.pk] * 10
    assert set(host.Vote.objects.filter(user=loser).values_list("poll", flat=True)) == {
        0, 2, 4, 6, 8,
    }  # fmt: skip
    assert sum(seen) == 20
    assert max(len(step.keys) for step in done.steps.all()) == 3


# The plan


def test_plan_tells_what_the_merge_then_does(winner: Any, loser: Any) -> None:
    give_everything(winner)
    give_everything(loser)
    plan = services.plan_merge(winner=winner, loser=loser)
    before = snapshot()
    assert lines(plan)["host_app.Order.user"] == (1, 0)
    assert lines(plan)["host_app.Subscription.user"] == (2, 1)
    assert lines(plan)["host_app.Note.user"] == (1, 0)
    assert lines(plan)["host_app.Grant.user"] == (0, 1)
    assert lines(plan)["host_app.Tag.target"] == (0, 1)
    assert all(line.why for line in plan.lines if line.stays)
    assert snapshot() == before, "a plan only reads"
    done = merge(winner, loser)
    moved = {}
    for step in done.steps.filter(kind=MergeStep.Kind.MOVED):
        name = f"{step.model}.{step.field}"
        moved[name] = moved.get(name, 0) + len(step.keys)
    # The database alone knows of the label.
    planned = {name: count for name, (count, _) in lines(plan).items() if count}
    if connection.features.supports_expression_indexes:
        assert planned.pop("host_app.Label.user") == 1
    assert moved == planned


def test_plan_of_a_stranger_is_empty(winner: Any, loser: Any) -> None:
    plan = services.plan_merge(winner=winner, loser=loser)
    assert (plan.moves, plan.stays) == (0, 0)


def test_proxies_and_hidden_tables_are_listed_once(winner: Any, loser: Any) -> None:
    give_everything(loser)
    names = [(line.model, line.field) for line in services.plan_merge(
        winner=winner, loser=loser
    ).lines]  # fmt: skip
    assert len(names) == len(set(names))
    assert ("host_app.Club_members", winner._meta.model_name) in names


# Signals


def test_receivers_are_asked_once_for_each_field_with_rows(
    winner: Any, loser: Any, listen: Any
) -> None:
    host.Order.objects.create(user=loser)
    host.Vote.objects.create(user=loser, poll=1)
    heard = listen(merge_moving)
    merge(winner, loser)
    assert [(each["sender"], each["field"]) for each in heard] == [
        (host.Order, "user"),
        (host.Vote, "user"),
    ]


def test_receiver_keeps_a_models_rows_with_the_loser(winner: Any, loser: Any, listen: Any) -> None:
    host.Order.objects.create(user=loser)
    host.Vote.objects.create(user=loser, poll=1)
    listen(merge_moving, lambda sender, **_: "leave" if sender is host.Order else None)
    merge(winner, loser)
    assert owners(host.Order) == [loser.pk]
    assert owners(host.Vote) == [winner.pk]


def test_receiver_decides_a_collision(winner: Any, loser: Any, listen: Any) -> None:
    host.Vote.objects.create(user=winner, poll=1, weight=2)
    host.Vote.objects.create(user=loser, poll=1, weight=5)

    def keep_losers(sender: Any, collisions: Any, winner: Any, **_: Any) -> None:
        for row in collisions:
            host.Vote.objects.filter(user=winner, poll=row.poll).delete()

    listen(merge_moving, lambda sender, **a: sender is host.Vote and keep_losers(sender, **a))
    merge(winner, loser)
    assert list(host.Vote.objects.values_list("user", "weight")) == [(winner.pk, 5)]


def test_receiver_that_raises_stops_all_of_it(winner: Any, loser: Any, listen: Any) -> None:
    give_everything(loser)
    before = snapshot()

    def refuse(sender: Any, **_: Any) -> None:
        if sender is host.Vote:
            raise RuntimeError("not these")

    listen(merge_moving, refuse)
    with pytest.raises(RuntimeError):
        merge(winner, loser)
    assert snapshot() == before
    assert Merge.objects.get().state == Merge.State.PLANNED
    assert not MergeStep.objects.exists()


def test_signals_are_sent_after_the_commit(
    winner: Any, loser: Any, listen: Any, django_capture_on_commit_callbacks: Any
) -> None:
    merged, undone, undoing = listen(users_merged), listen(merge_undone), listen(merge_undoing)
    host.Order.objects.create(user=loser)
    with django_capture_on_commit_callbacks(execute=True):
        done = merge(winner, loser)
        assert merged == []
    assert [(each["winner"], each["loser"]) for each in merged] == [(winner, loser)]
    with django_capture_on_commit_callbacks(execute=True):
        services.undo_merge(merge=done)
    assert len(undone) == 1
    assert [each["sender"] for each in undoing] == [host.Order]


# Our own tables


def identity(user: Any, app: Any, openid: str, unionid: str | None = None) -> WechatIdentity:
    return WechatIdentity.objects.create(
        user=user, app_id=app.app_id, openid=openid, unionid=unionid
    )


def test_identities_and_unions_move_two_of_one_app_as_well(
    winner: Any, loser: Any, app: Any
) -> None:
    identity(winner, app, "oA")
    identity(loser, app, "oB")
    WechatUnion.objects.create(scope="main", unionid="uB", user=loser)
    merge(winner, loser)
    assert owners(WechatIdentity) == [winner.pk] * 2
    assert owners(WechatUnion) == [winner.pk]


def test_union_conflict_that_the_merge_resolves_ends(winner: Any, loser: Any, app: Any) -> None:
    WechatUnion.objects.create(scope="main", unionid="u1", user=loser)
    mine = identity(winner, app, "oA", "u1")
    other = identity(winner, app, "oC", "u9")
    since = timezone.now()
    WechatIdentity.objects.update(union_conflict_at=since)
    done = merge(winner, loser)
    mine.refresh_from_db()
    other.refresh_from_db()
    assert mine.union_conflict_at is None
    assert other.union_conflict_at is not None, "that is with somebody else"
    services.undo_merge(merge=done)
    mine.refresh_from_db()
    assert abs(mine.union_conflict_at - since) < timedelta(milliseconds=1)


def test_profile_fills_only_what_is_blank_and_undo_empties_it(winner: Any, loser: Any) -> None:
    WechatProfile.objects.create(user=winner, nickname="W", ext={"a": 1})
    WechatProfile.objects.create(
        user=loser, nickname="L", gender=2, ext={"a": 2, "b": 3}, consent_version="1"
    )
    done = merge(winner, loser)
    profile = WechatProfile.objects.of(winner)
    assert profile is not None
    assert (profile.nickname, profile.gender, profile.ext) == ("W", 2, {"a": 1, "b": 3})
    assert profile.consent_version == "", "nobody consents for another account"
    services.undo_merge(merge=done)
    profile.refresh_from_db()
    assert (profile.nickname, profile.gender, profile.ext) == ("W", 0, {"a": 1})


def phone(user: Any, number: str) -> PhoneNumber:
    return PhoneNumber.objects.create(
        user=user, number=number, source="sms", verified_at=timezone.now()
    )


def test_phone_moves_to_a_winner_without_one(winner: Any, loser: Any) -> None:
    phone(loser, "+8617400000001")
    merge(winner, loser)
    assert owners(PhoneNumber) == [winner.pk]


def test_second_phone_is_set_free_and_undo_brings_it_back(winner: Any, loser: Any) -> None:
    phone(winner, "+8617400000001")
    before = phone(loser, "+8617400000002")
    done = merge(winner, loser)
    assert owners(PhoneNumber) == [winner.pk]
    services.undo_merge(merge=done)
    after = PhoneNumber.objects.get(user=loser)
    assert (after.number, after.source) == (before.number, before.source)


def test_phone_that_somebody_took_meanwhile_is_missing_from_the_undo(
    winner: Any, loser: Any, make_user: MakeUser
) -> None:
    phone(winner, "+8617400000001")
    phone(loser, "+8617400000002")
    done = merge(winner, loser)
    phone(make_user(), "+8617400000002")
    services.undo_merge(merge=done)
    assert not PhoneNumber.objects.filter(user=loser).exists()
    event = AuditEvent.objects.filter(kind=AuditEvent.Kind.MERGE_UNDONE).latest("pk")
    assert event.facts["missing"] == {"wxauth.PhoneNumber": 1}


def test_referral_of_the_winner_stays_and_those_invited_move(
    winner: Any, loser: Any, make_user: MakeUser
) -> None:
    first, second, invited = make_user(), make_user(), make_user()
    refer(winner, first)
    refer(loser, second)
    refer(invited, loser)
    merge(winner, loser)
    assert Referral.objects.get(referee=winner).referrer == first
    assert Referral.objects.get(referee=loser).referrer == second
    assert Referral.objects.get(referee=invited).referrer == winner


@pytest.mark.parametrize("chain", ["WL", "LW", "W1L", "L1W", "L12W", "W12L"])
def test_merge_makes_nobody_their_own_referrer(
    winner: Any, loser: Any, make_user: MakeUser, chain: str
) -> None:
    # "W1L": the winner was invited by somebody whom the loser had invited.
    people = {"W": winner, "L": loser, "1": make_user(), "2": make_user()}
    for referee, referrer in itertools.pairwise(chain):
        refer(people[referee], people[referrer])
    done = merge(winner, loser)
    for person in people.values():
        seen = {person.pk}
        current = person.pk
        while current := Referral.objects.filter(referee=current).values_list(
            "referrer", flat=True
        ).first():  # fmt: skip
            assert current not in seen, "a circle"
            seen.add(current)
    services.undo_merge(merge=done)
    for referee, referrer in itertools.pairwise(chain):
        assert Referral.objects.get(referee=people[referee]).referrer == people[referrer]


def test_tokens_of_the_loser_end_with_the_merge_and_stay_ended(
    winner: Any, loser: Any, app: Any
) -> None:
    """Row 43: an old token must not outlive the user who was given up for a unionid."""
    person = services.ConfirmedPerson(app=app, openid="oB")
    identity(loser, app, "oB")
    mine = services.login(person=person)
    done = merge(winner, loser)
    with pytest.raises(TokenInvalid):
        services.check_token(access=mine.tokens.access)
    with pytest.raises(TokenInvalid):
        services.refresh(refresh_token=mine.tokens.refresh)
    assert services.login(person=person).user == winner
    services.undo_merge(merge=done)
    with pytest.raises(TokenInvalid):
        services.check_token(access=mine.tokens.access)
    assert services.login(person=person).user == loser


def test_sessions_by_an_identity_that_goes_back_end(winner: Any, loser: Any, app: Any) -> None:
    identity(winner, app, "oA")
    identity(loser, app, "oB")
    done = merge(winner, loser)
    own = services.login(person=services.ConfirmedPerson(app=app, openid="oA"))
    moved = services.login(person=services.ConfirmedPerson(app=app, openid="oB"))
    assert moved.user == winner
    services.undo_merge(merge=done)
    assert services.check_token(access=own.tokens.access).login_session.user == winner
    with pytest.raises(TokenInvalid):
        services.check_token(access=moved.tokens.access)


def test_audit_trail_names_both_and_old_events_stay(
    winner: Any, loser: Any, make_user: MakeUser
) -> None:
    old = AuditEvent.objects.record("phone_bound", user=loser)
    admin = make_user("admin")
    done = merge(winner, loser, actor=admin)
    old.refresh_from_db()
    assert old.user == loser
    events = AuditEvent.objects.filter(kind=AuditEvent.Kind.MERGED).order_by("pk")
    assert [(e.user, e.actor) for e in events] == [(winner, admin), (loser, admin)]
    assert events[0].facts["merge"] == done.pk
    assert done.confirmed_by == admin


# Who may be merged


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
def test_privileged_loser_is_refused(winner: Any, make_user: MakeUser, flag: str) -> None:
    loser = make_user(**{flag: True})
    host.Order.objects.create(user=loser)
    with pytest.raises(MergeRefused):
        services.propose_merge(winner=winner, loser=loser)
    assert owners(host.Order) == [loser.pk]


def test_user_who_became_staff_after_the_plan_is_refused(winner: Any, loser: Any) -> None:
    planned = services.propose_merge(winner=winner, loser=loser)
    loser.is_staff = True
    loser.save()
    with pytest.raises(MergeRefused):
        services.run_merge(merge=planned)


def test_same_user_is_refused(winner: Any) -> None:
    with pytest.raises(MergeRefused):
        services.plan_merge(winner=winner, loser=winner)


@pytest.mark.parametrize("side", ["winner", "loser"])
def test_inactive_user_is_refused(winner: Any, loser: Any, side: str) -> None:
    user = {"winner": winner, "loser": loser}[side]
    type(user)._base_manager.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(MergeRefused):
        services.plan_merge(winner=winner, loser=loser)


def test_merged_user_is_refused_even_when_switched_on_again(
    winner: Any, loser: Any, make_user: MakeUser
) -> None:
    merge(winner, loser)
    type(loser)._base_manager.filter(pk=loser.pk).update(is_active=True)
    for pair in ({"winner": loser, "loser": make_user()}, {"winner": make_user(), "loser": loser}):
        with pytest.raises(MergeRefused):
            services.plan_merge(**pair)


@pytest.mark.parametrize("field", ["winner_key", "loser_key"])
def test_user_of_a_running_merge_is_refused(
    winner: Any, loser: Any, make_user: MakeUser, field: str
) -> None:
    keys = {"winner_key": "x", "loser_key": "y", field: str(loser.pk)}
    running = Merge.objects.create(state=Merge.State.CONFIRMED, confirmed_at=timezone.now(), **keys)
    with pytest.raises(MergeRunning):
        services.plan_merge(winner=winner, loser=loser)
    running.confirmed_at -= timedelta(hours=2)
    running.save()
    services.plan_merge(winner=winner, loser=loser)


def test_deleted_user_is_refused(winner: Any, loser: Any) -> None:
    planned = services.propose_merge(winner=winner, loser=loser)
    type(loser)._base_manager.get(pk=loser.pk).delete()
    planned.refresh_from_db()
    with pytest.raises(MergeRefused):
        services.run_merge(merge=planned)


def test_merge_that_is_done_is_done_once(winner: Any, loser: Any) -> None:
    done = merge(winner, loser)
    stale = Merge.objects.get(pk=done.pk)
    stale.state = Merge.State.PLANNED
    assert services.run_merge(merge=stale).state == Merge.State.DONE
    assert AuditEvent.objects.filter(kind=AuditEvent.Kind.MERGED).count() == 2


def test_plan_of_the_same_two_is_one_row(winner: Any, loser: Any) -> None:
    first = services.propose_merge(winner=winner, loser=loser)
    host.Order.objects.create(user=loser)
    second = services.propose_merge(winner=winner, loser=loser)
    assert second.pk == first.pk
    assert "host_app.Order" in [line["model"] for line in second.plan["lines"]]


# The way back


def test_undo_restores_every_row(winner: Any, loser: Any, app: Any) -> None:
    for user in (winner, loser):
        give_everything(user)
        identity(user, app, f"o{user.pk}")
        WechatProfile.objects.create(user=user)
    host.Order.objects.create(user=loser, text="more")
    phone(loser, "+8617400000001")
    before = snapshot()
    done = merge(winner, loser)
    assert snapshot() != before
    services.undo_merge(merge=done)
    assert snapshot() == before
    assert done.state == Merge.State.UNDONE


def test_undo_leaves_what_is_new_and_what_went_elsewhere(
    winner: Any, loser: Any, make_user: MakeUser
) -> None:
    third = make_user()
    kept = host.Order.objects.create(user=loser, text="kept")
    given = host.Order.objects.create(user=loser, text="given")
    gone = host.Order.objects.create(user=loser, text="gone")
    done = merge(winner, loser)
    new = host.Order.objects.create(user=winner, text="new")
    host.Order.objects.filter(pk=given.pk).update(user=third)
    gone.delete()
    services.undo_merge(merge=done)
    assert dict(host.Order.objects.values_list("pk", "user")) == {
        kept.pk: loser.pk,
        given.pk: third.pk,
        new.pk: winner.pk,
    }


def test_undo_is_possible_for_thirty_days(winner: Any, loser: Any) -> None:
    done = merge(winner, loser)
    Merge.objects.update(done_at=timezone.now() - timedelta(days=30, seconds=1))
    with pytest.raises(MergeRefused):
        services.undo_merge(merge=done)
    Merge.objects.update(done_at=timezone.now() - timedelta(days=30, seconds=-5))
    assert services.undo_merge(merge=done).state == Merge.State.UNDONE


def test_undo_twice_is_refused_and_a_new_merge_is_not(winner: Any, loser: Any) -> None:
    done = merge(winner, loser)
    services.undo_merge(merge=done)
    with pytest.raises(MergeRefused):
        services.undo_merge(merge=done)
    assert merge(winner, loser).pk != done.pk


def test_undo_after_the_winner_was_merged_wants_that_undone_first(
    winner: Any, loser: Any, make_user: MakeUser
) -> None:
    third = make_user()
    host.Order.objects.create(user=loser)
    first = merge(winner, loser)
    second = merge(third, winner)
    with pytest.raises(MergeRefused):
        services.undo_merge(merge=first)
    services.undo_merge(merge=second)
    services.undo_merge(merge=first)
    assert owners(host.Order) == [loser.pk]


def test_old_steps_are_forgotten_and_the_merge_is_kept(winner: Any, loser: Any) -> None:
    host.Order.objects.create(user=loser)
    merge(winner, loser)
    assert services.forget_merges() == 0
    Merge.objects.update(done_at=timezone.now() - timedelta(days=31))
    assert services.forget_merges() == 1
    assert Merge.objects.get().state == Merge.State.DONE


def test_steps_of_users_who_are_gone_are_forgotten(winner: Any, loser: Any) -> None:
    phone(winner, "+8617400000001")
    phone(loser, "+8617400000002")
    merge(winner, loser)
    assert services.forget_merges() == 0
    type(loser)._base_manager.get(pk=loser.pk).delete()
    services.forget_merges()
    assert not MergeStep.objects.exists(), "nor is the number kept"


def test_revoked_session_ids_are_those_that_were_good(winner: Any, loser: Any) -> None:
    now = timezone.now()
    for expires in (now + timedelta(days=1), now - timedelta(days=1)):
        LoginSession.objects.create(user=loser, expires_at=expires, rotated_at=now)
    merge(winner, loser)
    assert not LoginSession.objects.filter(revoked_at__isnull=True).exists()


def test_permission_to_merge_exists(db: None) -> None:
    assert Permission.objects.filter(codename="merge_users").exists()


def test_row_that_comes_late_is_collected_and_undone_with_the_rest(winner: Any, loser: Any) -> None:
    host.Vote.objects.create(user=winner, poll=1)
    host.Vote.objects.create(user=loser, poll=1)
    done = merge(winner, loser)
    late = host.Order.objects.create(user=loser)
    steps = done.steps.count()
    assert services.collect_late_rows() == 1
    assert services.collect_late_rows() == 0
    assert owners(host.Order) == [winner.pk]
    assert owners(host.Vote) == [winner.pk, loser.pk], "what collided still does"
    assert done.steps.count() == steps + 1
    services.undo_merge(merge=done)
    late.refresh_from_db()
    assert late.user == loser
    assert services.collect_late_rows() == 0


def test_merged_user_lives_on_in_the_last_of_a_chain(
    winner: Any, loser: Any, make_user: MakeUser
) -> None:
    third = make_user()
    assert services.merged_into(loser.pk) is None
    merge(winner, loser)
    assert services.merged_into(loser.pk) == winner
    merge(third, winner)
    assert services.merged_into(loser.pk) == third
    type(third)._base_manager.get(pk=third.pk).delete()
    assert services.merged_into(loser.pk) is None
