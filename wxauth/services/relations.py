"""Which rows of the whole project point to a user, and which of them another user cannot take."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models, router
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_noop

from wxauth import transactions
from wxauth.conf import HostUser

# Why rows stay where they are. Plans keep these sentences; they are translated where shown.
COLLIDES = gettext_noop("The user who stays has such a row already.")
GENERIC = gettext_noop("Generic relations are not followed.")
RIGHTS = gettext_noop("Rights are never passed on.")
CREDENTIALS = gettext_noop("Credentials are never passed on.")
HISTORY = gettext_noop("History is not rewritten.")
ELSEWHERE = gettext_noop("These rows are in another database.")
UNMANAGED = gettext_noop("Django does not manage this table.")
IS_KEY = gettext_noop("The user is the key of these rows.")
NO_PART = gettext_noop("The user who stays has nothing that they could point to.")
COMPOSED = gettext_noop("The field is no plain foreign key.")
ENDS = gettext_noop("Sessions are ended.")

# By label in lower case: what is not the loser's property but a key to the door, or a record.
STAYING = {
    "wxauth.loginsession": ENDS,
    # Moved, it would delete an account that nobody has asked to delete.
    "wxauth.deletionrequest": HISTORY,
    "wxauth.auditevent": HISTORY,
    "wxauth.merge": HISTORY,
    "admin.logentry": HISTORY,
    "authtoken.token": CREDENTIALS,
    "token_blacklist.outstandingtoken": CREDENTIALS,
}


@dataclass(frozen=True, slots=True)
class Relation:
    """One field of one model that points to users, or to a part of them, by these values."""

    model: type[models.Model]
    field: Any  # a ForeignKey
    winner_value: Any
    loser_value: Any
    why_left: str = ""  # all rows stay, for this reason

    @property
    def label(self) -> str:
        return self.model._meta.label

    def all_rows(self) -> QuerySet:
        """Return every row: whatever managers the model has, none of them may hide one."""
        return QuerySet(self.model, using=transactions.database())

    def rows(self) -> QuerySet:
        """Return the rows that point to the losing user."""
        if self.loser_value is None:
            return self.all_rows().none()
        return self.all_rows().filter(**{self.field.attname: self.loser_value})

    def collisions(self) -> Q | None:
        """Return the condition on ``rows`` that a unique constraint keeps from the winner."""
        conditions = [self._has_twin(*key) for key in self._unique_keys()]
        conditions += self._points_to_itself()
        found = None
        for condition in conditions:
            found = condition if found is None else found | condition
        return found

    def _unique_keys(self) -> Iterator[tuple[tuple[str, ...], Q | None]]:
        meta, name = self.model._meta, self.field.name
        if self.field.unique:
            yield (), None
        for together in meta.unique_together:
            if name in together:
                yield tuple(other for other in together if other != name), None
        for constraint in meta.constraints:
            # One with expressions is left to the database, which refuses row by row.
            if isinstance(constraint, models.UniqueConstraint) and name in constraint.fields:
                others = tuple(other for other in constraint.fields if other != name)
                yield others, constraint.condition

    def _has_twin(self, others: tuple[str, ...], condition: Q | None) -> Q:
        meta = self.model._meta
        attnames = [meta.get_field(other).attname for other in others]  # type: ignore[union-attr]
        twins = self.all_rows().filter(
            **{self.field.attname: self.winner_value},
            **{attname: OuterRef(attname) for attname in attnames},
        )
        if condition is None:
            return Q(Exists(twins))
        return condition & Q(Exists(twins.filter(condition)))

    def _points_to_itself(self) -> list[Q]:
        """Match what would become the winner's friendship, or managing, of themselves."""
        users = get_user_model()._meta.concrete_model
        if users is not None and issubclass(self.model, users):
            return [Q(**{self.field.target_field.attname: self.winner_value}) | self._is_loser()]
        if not self.model._meta.auto_created:
            return []
        return [
            Q(**{other.attname: self.winner_value})
            for other in self.model._meta.concrete_fields
            if other is not self.field
            and isinstance(other, models.ForeignKey)
            and other.related_model is self.field.related_model
        ]

    def _is_loser(self) -> Q:
        return Q(**{self.field.target_field.attname: self.loser_value})


def find_relations(winner: HostUser, loser: HostUser) -> list[Relation]:
    """
    Return each field of each installed model that points to users: foreign keys, one-to-ones, the
    hidden tables of many-to-manys; also to parents and children of the user's own model.
    """
    user_model = get_user_model()._meta.concrete_model
    assert user_model is not None
    found = [
        _relation(rel, winner, loser)
        for rel in user_model._meta.get_fields(include_hidden=True)
        if _points_here(rel)
    ]
    for child in _children(user_model):
        rows: QuerySet = QuerySet(child, using=transactions.database())
        parts = {user.pk: rows.filter(pk=user.pk).first() for user in (winner, loser)}
        for rel in child._meta.get_fields(include_hidden=True):
            if _points_here(rel) and rel.model._meta.concrete_model is child:
                found.append(_relation(rel, parts[winner.pk], parts[loser.pk]))
    return found


def find_generic(loser: HostUser) -> Iterator[tuple[type[models.Model], str, int]]:
    """Yield model, field and number of rows that point to the user by a generic relation."""
    for model in apps.get_models(include_auto_created=True):
        meta = model._meta
        if meta.proxy or router.db_for_write(model) != transactions.database():
            continue
        for field in meta.private_fields:
            if isinstance(field, GenericForeignKey) and field.model is model:
                kind = ContentType.objects.get_for_model(
                    loser, for_concrete_model=field.for_concrete_model
                )
                rows: QuerySet = QuerySet(model, using=transactions.database()).filter(
                    **{field.ct_field: kind, field.fk_field: str(loser.pk)}
                )
                count = rows.count()
                if count:
                    yield model, field.name, count


def _points_here(rel: Any) -> bool:
    return bool(rel.auto_created and not rel.concrete and (rel.one_to_many or rel.one_to_one))


def _children(model: type[models.Model]) -> Iterator[type[models.Model]]:
    for child in apps.get_models():
        if child is not model and issubclass(child, model) and not child._meta.proxy:
            yield child


def _relation(rel: Any, winner: Any, loser: Any) -> Relation:
    model, field = rel.related_model._meta.concrete_model, rel.field
    why_left = _why_left(model, field)
    if not isinstance(field, models.ForeignKey):
        return Relation(model, field, None, None, COMPOSED)
    attname = field.target_field.attname
    winner_value, loser_value = getattr(winner, attname, None), getattr(loser, attname, None)
    if winner_value is None and not why_left:
        why_left = NO_PART
    return Relation(model, field, winner_value, loser_value, why_left)


def _why_left(model: type[models.Model], field: Any) -> str:
    meta = model._meta
    if meta.label_lower in STAYING:
        return STAYING[meta.label_lower]
    if any(other.related_model in (Group, Permission) for other in meta.concrete_fields):
        return RIGHTS
    if router.db_for_write(model) != transactions.database():
        return ELSEWHERE
    if not meta.managed:
        return UNMANAGED
    if field.primary_key or field in getattr(meta, "pk_fields", []):
        return IS_KEY
    return ""
