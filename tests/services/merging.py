"""What tests of merges share: a user with rows of every shape."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet

from tests.host_app import models as host
from wxauth import services
from wxauth.models import (
    Merge,
    PhoneNumber,
    Referral,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)


def rows(model: Any) -> QuerySet:
    """Return all rows, whatever managers the model has."""
    return QuerySet(model)


def merge(winner: Any, loser: Any, **arguments: Any) -> Merge:
    return services.run_merge(merge=services.propose_merge(winner=winner, loser=loser), **arguments)


def give_everything(user: Any) -> None:
    """Give the user one row in each host table, with the same content for each user."""
    host.Order.objects.create(user=user)
    host.Note.objects.create(user=user, hidden=True)
    host.Passport.objects.create(user=user)
    host.Vote.objects.create(user=user, poll=1)
    host.Subscription.objects.create(user=user, channel="news", active=True)
    host.Subscription.objects.create(user=user, channel="news", active=False)
    host.Subscription.objects.create(user=user, channel="news", active=None)
    host.Label.objects.create(user=user, text="Red")
    host.Seat.objects.create(user=user, row=1)
    host.Club.objects.get_or_create(name="chess")[0].members.add(user)
    host.Message.objects.create(author=user)
    host.Mention.objects.create(user=user)
    host.Ticket.objects.create(member_id=user.pk)
    host.Locker.objects.create(user=user)
    host.Tag.objects.create(
        content_type=ContentType.objects.get_for_model(get_user_model()), object_id=user.pk
    )
    host.Grant.objects.create(user=user, permission=Permission.objects.earliest("pk"))
    user.groups.add(Group.objects.get_or_create(name="trusted")[0])
    user.user_permissions.add(Permission.objects.earliest("pk"))


def owners(model: Any, field: str = "user_id") -> list[Any]:
    """Return whose the rows are, in the order in which they were made."""
    return list(rows(model).order_by("pk").values_list(field, flat=True))


def snapshot() -> dict[str, list[Any]]:
    """Return every row of every table that a merge may touch."""
    tables: list[Any] = [model for model in vars(host).values() if isinstance(model, type)]
    tables += [WechatIdentity, WechatUnion, WechatProfile, PhoneNumber, Referral]
    tables += [host.Club.members.through, get_user_model()]
    found = {}
    for table in tables:
        if hasattr(table, "_meta") and table._meta.managed and not table._meta.proxy:
            found[table._meta.label] = sorted(map(repr, rows(table).values()))
    return found
