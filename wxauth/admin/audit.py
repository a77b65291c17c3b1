"""The audit trail in the admin: to read, for everybody."""

import re
from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _

from wxauth.admin.base import WxauthAdmin, user_label
from wxauth.admin.filters import AppAliasFilter
from wxauth.admin.search import find_users
from wxauth.admin.sessions import name_device
from wxauth.models import AuditEvent, PhoneNumber

# A whole number has no place in the facts; should one get there, nobody reads it here.
NUMBER = re.compile(r"\+[0-9]{7,15}(?![0-9*])|(?<![0-9])1[3-9][0-9]{9}(?![0-9])")


@admin.register(AuditEvent)
class AuditEventAdmin(WxauthAdmin):
    """Events: nobody adds, changes or deletes one, superusers included. See the command."""

    list_display = ("at", "kind", "subject", "doer", "app", "ip_address", "device")
    list_filter = ("kind", AppAliasFilter, "at")
    list_select_related = ("user", "actor")
    # This column has an index, and the primary key tells nothing of time after an import.
    ordering = ("-at",)
    fields = readonly_fields = (
        "at",
        "kind",
        "subject",
        "doer",
        "app",
        "ip_address",
        "user_agent",
        "shown_facts",
        "see_also",
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        # ?facts__phone__startswith=… would read what is masked, one character after the other.
        return not lookup.startswith("facts") and super().lookup_allowed(lookup, value, request)

    def matching(self, term: str) -> Q:
        # By the key as text: it stays when the user is gone.
        return Q(user_key__in={term, *map(str, find_users(term))})

    @admin.display(description=_("user"), ordering="user_key")
    def subject(self, event: AuditEvent) -> str:
        return self._person(event.user, event.user_key)

    @admin.display(description=_("done by"))
    def doer(self, event: AuditEvent) -> str:
        return self._person(event.actor, event.actor_key)

    @admin.display(description=_("device"))
    def device(self, event: AuditEvent) -> str:
        return name_device(event.user_agent)

    @admin.display(description=_("facts"))
    def shown_facts(self, event: AuditEvent) -> str:
        facts = event.facts if isinstance(event.facts, dict) else {"": event.facts}
        rows = [(name, mask(str(value))) for name, value in sorted(facts.items())]
        return format_html_join("", "<div>{}: {}</div>", rows) or self.empty()

    def _person(self, user: Any, key: str) -> str:
        if user is not None:
            return self.uid_link(user.pk, label=user_label(user))
        return f"uid {key}" if key else self.empty()


def mask(text: str) -> str:
    """Return the text without the middle of each phone number that is in it."""
    return NUMBER.sub(lambda found: PhoneNumber(number=found[0]).masked, text)
