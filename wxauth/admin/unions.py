"""To whom the unionid of an identity in conflict belongs."""

from django.contrib import admin
from django.db.models import Case, CharField, F, OuterRef, QuerySet, Subquery, Value, When
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wxauth.admin.base import LinksMixin
from wxauth.conf import conf
from wxauth.models import WechatIdentity, WechatUnion


def with_holder(identities: QuerySet[WechatIdentity]) -> QuerySet[WechatIdentity]:
    """
    Add ``holder_id``: the uid to whom the unionid belongs; None unless there is a conflict.

    Part of the query, so that a list asks once for all of its rows. An app's union scope stands
    in the settings, hence the Case.
    """
    scopes = [When(app_id=app.app_id, then=Value(app.union_scope)) for app in conf.apps.values()]
    holders = WechatUnion.objects.filter(scope=OuterRef("scope"), unionid=OuterRef("unionid"))
    # Without the target's field, SQLite and MySQL would answer the bare text of a UUID.
    uid = WechatUnion._meta.get_field("user").target_field
    holder = Subquery(holders.values("user_id")[:1], output_field=uid)
    return identities.annotate(
        scope=Case(*scopes, output_field=CharField()),
        holder_id=Case(When(union_conflict_at__isnull=False, then=holder), output_field=uid),
    )


class HolderMixin(LinksMixin):
    """The column for it."""

    @admin.display(description=_("unionid belongs to"), ordering=F("union_conflict_at").desc())
    def holder(self, identity: WechatIdentity) -> str:
        if identity.union_conflict_at is None:
            return self.empty()
        uid = identity.holder_id  # type: ignore[attr-defined]  # with_holder has added it
        return gettext("nobody") if uid is None else self.uid_link(uid, label=f"uid {uid}")
