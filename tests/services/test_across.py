"""What the parts of the library must know of each other: merges, deletions, invitations, codes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.utils import timezone

from tests.services.merging import merge
from wxauth import services
from wxauth.exceptions import MergeRefused
from wxauth.models import (
    AuditEvent,
    DeletionRequest,
    InviteCode,
    LoginSession,
    Merge,
    MergeStep,
    PhoneNumber,
    ProviderToken,
    Referral,
    SmsCode,
    Tally,
    WechatIdentity,
    WechatProfile,
)
from wxauth.services.exporting import export
from wxauth.services.leaving import KEPT, Outcome, carry_out, owned_rows, withdraw_deletion
from wxauth.services.referrals import find_referrer
from wxauth.signals import account_deleted

pytestmark = pytest.mark.django_db

MakeUser = Callable[..., Any]


@pytest.fixture
def winner(make_user: MakeUser) -> Any:
    return make_user("winner")


@pytest.fixture
def loser(make_user: MakeUser) -> Any:
    return make_user("loser")


def give_phone(user: Any, number: str) -> None:
    PhoneNumber.objects.create(user=user, number=number, source="sms", verified_at=timezone.now())


def ask_for_deletion(user: Any) -> DeletionRequest:
    return DeletionRequest.objects.create(user=user, source="user", due_at=timezone.now())


def delete(user: Any) -> Outcome:
    return carry_out(pk=ask_for_deletion(user).pk, now=timezone.now())


def send_code(number: str, *, expires: timedelta = timedelta(minutes=5)) -> SmsCode:
    now = timezone.now()
    return SmsCode.objects.create(
        number=number, purpose="login", digest="d", sent_at=now, expires_at=now + expires
    )


def reload(user: Any) -> Any:
    return type(user)._base_manager.get(pk=user.pk)


# Merges and deletions


@pytest.mark.parametrize("side", ["winner", "loser"])
def test_user_who_waits_for_deletion_is_not_merged(winner: Any, loser: Any, side: str) -> None:
    planned = services.propose_merge(winner=winner, loser=loser)
    request = ask_for_deletion({"winner": winner, "loser": loser}[side])
    with pytest.raises(MergeRefused):
        services.propose_merge(winner=winner, loser=loser)
    with pytest.raises(MergeRefused):
        services.run_merge(merge=planned)
    assert DeletionRequest.objects.get() == request
    assert withdraw_deletion(request=request)
    assert services.run_merge(merge=planned).state == Merge.State.DONE


def test_deletion_takes_along_who_was_merged_into_the_user(
    winner: Any, loser: Any, make_user: MakeUser
) -> None:
    first, bystander = make_user("first"), make_user("bystander")
    for user, digit in ((first, 1), (loser, 2), (winner, 3), (bystander, 4)):
        give_phone(user, f"+861740000000{digit}")
        WechatProfile.objects.create(user=user, nickname="Zoé")
    merge(loser, first)
    merge(winner, loser)
    assert MergeStep.objects.filter(kind=MergeStep.Kind.REMOVED).count() == 2
    uids: list[str] = []

    def hear(uid: str, **_: Any) -> None:
        uids.append(uid)

    account_deleted.connect(hear)
    try:
        assert delete(reload(winner)) is Outcome.DELETED
    finally:
        account_deleted.disconnect(hear)
    gone = {str(user.pk) for user in (first, loser, winner)}
    deleted = AuditEvent.objects.filter(kind=AuditEvent.Kind.DELETED)
    assert set(deleted.values_list("user_key", flat=True)) == gone
    assert WechatProfile.objects.get().user == bystander
    assert PhoneNumber.objects.get().user == bystander
    assert not MergeStep.objects.exists(), "they held two numbers"
    for user in (first, loser, winner):
        blank = reload(user)
        assert not blank.is_active
        name = blank.USERNAME_FIELD
        assert getattr(blank, name) != getattr(user, name)
    assert reload(bystander).is_active


def test_merge_of_somebody_who_is_deleted_is_known_and_cannot_be_undone(
    winner: Any, loser: Any
) -> None:
    done = merge(winner, loser)
    assert delete(reload(winner)) is Outcome.DELETED
    with pytest.raises(MergeRefused):
        services.undo_merge(merge=done)
    done.refresh_from_db()
    assert (done.winner, done.loser) == (None, None)
    assert {done.winner_key, done.loser_key} == {str(winner.pk), str(loser.pk)}


def test_merged_user_who_was_switched_on_again_by_hand_is_not_deleted_along(
    winner: Any, loser: Any
) -> None:
    merge(winner, loser)
    type(loser)._base_manager.filter(pk=loser.pk).update(is_active=True)
    assert delete(reload(winner)) is Outcome.DELETED
    assert reload(loser).is_active


def test_user_of_an_undone_merge_is_not_deleted_along(winner: Any, loser: Any) -> None:
    services.undo_merge(merge=merge(winner, loser))
    assert delete(reload(winner)) is Outcome.DELETED
    assert reload(loser).is_active
    assert not MergeStep.objects.exists()


def test_export_tells_of_who_was_merged_into_the_user(winner: Any, loser: Any) -> None:
    give_phone(winner, "+8617400000001")
    give_phone(loser, "+8617400000002")
    now = timezone.now()
    LoginSession.objects.create(
        user=loser, app="default", user_agent="of the loser", expires_at=now, rotated_at=now
    )
    InviteCode.objects.create(user=winner, code="WINNER23")
    merge(winner, loser)
    text = "".join(export(user=winner))
    for piece in ("+8617400000001", "+8617400000002", "of the loser", "WINNER23"):
        assert piece in text
    assert f'"uid": {str(loser.pk)!r}'.replace("'", '"') in text or f'"uid": {loser.pk}' in text


# Codes by text message


def test_codes_for_the_number_of_a_deleted_user_are_deleted(make_user: MakeUser) -> None:
    user = make_user()
    give_phone(user, "+8617400000001")
    send_code("+8617400000001")
    other = send_code("+8617400000002")
    assert delete(user) is Outcome.DELETED
    assert SmsCode.objects.get() == other


def test_purge_forgets_codes_and_counters_whose_time_is_over(capsys: Any) -> None:
    send_code("+8617400000001", expires=timedelta(seconds=-1))
    good = send_code("+8617400000002")
    now = timezone.now()
    for name, expires in (("old", now), ("new", now + timedelta(hours=1))):
        Tally.objects.create(name=name, count=1, expires_at=expires)
    call_command("wxauth_purge", batch=1)
    assert "Deleted 2 SMS codes and counters" in capsys.readouterr().out
    assert SmsCode.objects.get() == good
    assert Tally.objects.get().name == "new"


# Invitations


def test_invite_code_moves_to_a_winner_without_one_and_back(winner: Any, loser: Any) -> None:
    code = services.read_invite_code(user=loser)
    done = merge(winner, loser)
    assert services.read_invite_code(user=winner) == code
    assert InviteCode.objects.count() == 1
    services.undo_merge(merge=done)
    assert InviteCode.objects.get().user == loser


def test_invite_code_of_the_winner_stays_and_both_lead_to_the_winner(
    winner: Any, loser: Any, make_user: MakeUser
) -> None:
    codes = [services.read_invite_code(user=user) for user in (winner, loser)]
    merge(winner, loser)
    assert services.read_invite_code(user=winner) == codes[0]
    assert [find_referrer(text) for text in (*codes, str(loser.pk))] == [winner] * 3
    last = make_user("last")
    merge(last, winner)
    assert find_referrer(codes[1]) == last
    assert delete(reload(last)) is Outcome.DELETED
    assert [find_referrer(text) for text in (*codes, str(loser.pk))] == [None] * 3


# All tables


def test_every_table_is_erased_kept_on_purpose_or_known_here(winner: Any) -> None:
    """A new table that knows people in another way than by ``user`` fails here."""
    owned = {rows.model for rows in owned_rows(winner)}
    # See the tests above; provider tokens go with their identity.
    known = {Merge, MergeStep, ProviderToken, SmsCode, Tally}
    assert {*owned, *KEPT, *known} == set(apps.get_app_config("wxauth").get_models())
    assert not known & owned


def test_identity_of_a_merged_user_that_comes_late_is_erased_too(
    winner: Any, loser: Any, app: Any
) -> None:
    merge(winner, loser)
    WechatIdentity.objects.create(user=loser, app_id=app.app_id, openid="o-late")
    Referral.objects.create(referee=loser, referrer=None, scene="poster at home")
    assert delete(reload(winner)) is Outcome.DELETED
    assert not WechatIdentity.objects.exists()
    assert Referral.objects.get().scene == ""
