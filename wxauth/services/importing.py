"""Taking over the people of another backend, with the uids that they have there."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.core.management.color import no_style
from django.db import connections
from django.utils import timezone

from wxauth import bulk, transactions, users
from wxauth.conf import HostUser, WechatApp, conf
from wxauth.managers.numbering import LARGEST
from wxauth.models import (
    AccountNumber,
    PhoneNumber,
    Referral,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)
from wxauth.services.import_rows import Refusal, Row
from wxauth.services.uids import has_integer_key

T = TypeVar("T")

CHAIN = 100_000  # levels of inviters at the most that are looked at for a circle


@dataclass
class Outcome:
    """What has become of a batch of rows."""

    imported: int = 0
    known: int = 0  # the same openid with the same uid was there already
    referrals: int = 0
    open_referrals: int = 0  # whose referrer may come in a later row
    refusals: list[Refusal] = field(default_factory=list)


def can_import() -> bool:
    """Tell whether users may be made in batches: only as ``wxauth.users`` makes them."""
    return conf.create_user is users.create_user


def largest_uid() -> int:
    """Return the largest uid that the user model, or our numbering, has room for."""
    if not has_integer_key():
        return LARGEST
    key = get_user_model()._meta.pk
    operations = connections[transactions.database()].ops
    return operations.integer_field_range(key.get_internal_type())[1] or LARGEST


def batches(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the rows in lists of at most ``size``."""
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


def import_people(*, app: WechatApp, rows: Sequence[Row]) -> Outcome:
    """
    Make the users of these rows, in one transaction, with the referrers who are there already.

    Who is there already, by the same openid with the same uid, is left as they are, so the same
    rows can come again. A row whose openid, uid, unionid or number is somebody else's is refused.
    Constraints decide against whoever signs up or imports at the same moment: then we look again.
    No signals are sent.
    """

    def step() -> Outcome:
        outcome = _import_people(app, rows)
        referred = _refer(app, rows, is_last=False)
        outcome.referrals, outcome.open_referrals = referred.referrals, referred.open_referrals
        return outcome

    return transactions.run(step)


def import_referrals(*, app: WechatApp, rows: Sequence[Row]) -> Outcome:
    """
    Write down what ``import_people`` had to leave open: for when all people are there.

    A referrer with the larger uid could close a circle, so each of those is looked at alone.
    Nobody who has a referrer gets another one.
    """
    return transactions.run(lambda: _refer(app, rows, is_last=True))


def reset_sequence() -> None:
    """Let the database go on counting users, or our numbers, after the largest that is there."""
    model = get_user_model() if has_integer_key() else AccountNumber
    connection = connections[transactions.database()]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(statement)


# People


def _import_people(app: WechatApp, rows: Sequence[Row]) -> Outcome:
    outcome = Outcome()
    uids = _uids_of_openids(app, [row.openid for row in rows])
    taken: dict[str, set[Any]] = {
        "uid": _taken_uids([row.uid for row in rows]),
        "unionid": _taken_unionids(app, [row.unionid for row in rows if row.unionid]),
        "phone": _taken_numbers([row.phone for row in rows if row.phone]),
    }
    seen: dict[str, set[Any]] = {"openid": set(), "uid": set(), "unionid": set(), "phone": set()}
    wanted: list[Row] = []
    for row in rows:
        if row.openid in uids and uids[row.openid] == row.uid and row.openid not in seen["openid"]:
            outcome.known += 1
            seen["openid"].add(row.openid)
            continue
        reason = "openid" if row.openid in uids else _first_taken(row, taken)
        if reason is not None:
            outcome.refusals.append(
                _refusal(row, f"{reason}_taken", f"{reason} is another user's.")
            )
            continue
        reason = _first_taken(row, seen)
        if reason is not None:
            sentence = f"{reason} stands in an earlier line."
            outcome.refusals.append(_refusal(row, f"{reason}_twice", sentence))
            continue
        for name, values in seen.items():
            values.add(getattr(row, name))
        wanted.append(row)
    _create(app, wanted)
    outcome.imported = len(wanted)
    return outcome


def _first_taken(row: Row, taken: dict[str, set[Any]]) -> str | None:
    for name, values in taken.items():
        value = getattr(row, name)
        if value is not None and value in values:
            return name
    return None


def _create(app: WechatApp, rows: Sequence[Row]) -> None:
    now = timezone.now()
    moments = [row.registered_at or now for row in rows]
    people = _create_users(rows, moments)
    together = [
        (row, user.pk, moment) for row, user, moment in zip(rows, people, moments, strict=True)
    ]
    bulk.insert(
        WechatUnion,
        ["scope", "unionid", "user_id", "created_at"],
        (
            (app.union_scope, row.unionid, key, moment)
            for row, key, moment in together
            if row.unionid
        ),
    )
    bulk.insert(
        WechatIdentity,
        ["app_id", "openid", "unionid", "user_id", "created_at"],
        ((app.app_id, row.openid, row.unionid, key, moment) for row, key, moment in together),
    )
    bulk.insert(
        WechatProfile,
        ["app", "nickname", "avatar_url", "gender", "user_id", "created_at"],
        (
            (app.alias, row.nickname, row.avatar_url, row.gender, key, moment)
            for row, key, moment in together
        ),
    )
    bulk.insert(
        PhoneNumber,
        ["number", "source", "user_id", "verified_at"],
        (
            (row.phone, PhoneNumber.Source.IMPORTED.value, key, moment)
            for row, key, moment in together
            if row.phone
        ),
    )


def _create_users(rows: Sequence[Row], moments: Sequence[datetime]) -> list[HostUser]:
    model = get_user_model()
    is_numbered = has_integer_key()
    has_date = any(each.name == "date_joined" for each in model._meta.fields)
    people = []
    for row, moment in zip(rows, moments, strict=True):
        user = users.build_user()
        if is_numbered:
            user.pk = row.uid
        if has_date:
            user.date_joined = moment
        people.append(user)
    people = model._default_manager.bulk_create(people)
    if not is_numbered:
        AccountNumber.objects.bulk_create(
            AccountNumber(number=row.uid, user=user) for row, user in zip(rows, people, strict=True)
        )
    return people


def _uids_of_openids(app: WechatApp, openids: list[str]) -> dict[str, int | None]:
    column = "user_id" if has_integer_key() else "user__wxauth_number__number"
    found = WechatIdentity.objects.filter(app_id=app.app_id, openid__in=openids)
    return dict(found.values_list("openid", column))


def _taken_uids(uids: list[int]) -> set[int]:
    return set(_keys_of_uids(set(uids)))


def _taken_unionids(app: WechatApp, unionids: list[str]) -> set[str]:
    found = WechatUnion.objects.filter(scope=app.union_scope, unionid__in=unionids)
    return set(found.values_list("unionid", flat=True))


def _taken_numbers(numbers: list[str]) -> set[str]:
    return set(PhoneNumber.objects.filter(number__in=numbers).values_list("number", flat=True))


# Referrals


def _refer(app: WechatApp, rows: Sequence[Row], *, is_last: bool) -> Outcome:
    outcome = Outcome()
    rows = [row for row in rows if row.referrer is not None]
    uids = _uids_of_openids(app, [row.openid for row in rows])
    rows = [row for row in rows if uids.get(row.openid) == row.uid]  # the others were refused
    keys = _keys_of_uids({row.uid for row in rows} | {row.referrer or 0 for row in rows})
    found = Referral.objects.filter(referee__in=[keys[row.uid] for row in rows])
    referred = set(found.values_list("referee_id", flat=True))
    new: list[tuple[Any, Any, datetime]] = []
    for row in rows:
        referee, referrer = keys[row.uid], keys.get(row.referrer or 0)
        if referee in referred:
            continue
        # From a smaller uid to a larger one nothing can lead back.
        is_upward = (row.referrer or 0) > row.uid
        if not is_last and (referrer is None or is_upward):
            outcome.open_referrals += 1
            continue
        reason = None
        if row.referrer == row.uid:
            reason = ("referrer_self", "Nobody invites themselves.")
        elif referrer is None:
            reason = ("referrer_unknown", "There is nobody with the uid of the referrer.")
        elif is_upward and _meets(referee, referrer):
            reason = ("referrer_circle", "The referrer was invited by this person, or theirs.")
        if reason is not None:
            if is_last:
                outcome.refusals.append(_refusal(row, *reason))
            else:
                outcome.open_referrals += 1  # so that the last look refuses it
            continue
        referred.add(referee)
        at = row.registered_at or timezone.now()
        if is_upward:  # the next look for a circle must see it
            Referral.objects.create(referee_id=referee, referrer_id=referrer, created_at=at)
        else:
            new.append((referee, referrer, at))
        outcome.referrals += 1
    bulk.insert(Referral, ["referee_id", "referrer_id", "created_at"], new)
    return outcome


def _meets(referee: Any, referrer: Any) -> bool:
    """Tell whether ``referee`` is among those who lead to ``referrer``."""
    model = get_user_model()
    return referee in Referral.objects.chain(model(pk=referrer), length=CHAIN)


def _keys_of_uids(uids: set[int]) -> dict[int, Any]:
    if has_integer_key():
        people = get_user_model()._base_manager.filter(pk__in=uids)
        return {key: key for key in people.values_list("pk", flat=True)}
    return dict(AccountNumber.objects.filter(pk__in=uids).values_list("pk", "user_id"))


def _refusal(row: Row, reason: str, sentence: str) -> Refusal:
    return Refusal(row.line, str(row.uid), reason, sentence)
