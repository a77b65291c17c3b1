"""Merges in the admin: the list, the plan of a new one, its confirmation, and the way back."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wxauth import services
from wxauth.admin.base import LinksMixin, ReadOnlyMixin, WxauthAdmin, user_label
from wxauth.admin.search import clean_term, find_uid, find_users
from wxauth.conf import HostUser
from wxauth.exceptions import WxauthError
from wxauth.models import Merge
from wxauth.services import Device

NEW = "wxauth_merge_new"


class MergePermissionMixin(LinksMixin):
    """For what takes the permission to merge users."""

    def has_merge_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wxauth.merge_users")

    def new_url(self, **users: Any) -> str:
        """Return the address of the page that plans the merge of these two."""
        return f"{self.find_url(NEW)}?{urlencode(users)}"


class MergeActionMixin(MergePermissionMixin, admin.ModelAdmin):
    """The action on identities that leads from a union conflict to the plan of its merge."""

    @admin.action(permissions=["merge"], description=_("Merge the two users of the selected rows"))
    def merge_users(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        users: dict[Any, None] = {}
        for identity in queryset.order_by("union_conflict_at", "pk")[:3]:
            # The user to whom the unionid belongs stays, unless the next page is told otherwise.
            users.update(
                dict.fromkeys(key for key in (identity.holder_id, identity.user_id) if key)
            )
        if len(users) != 2:
            text = gettext("Select one identity in conflict, or one identity of each of two users.")
            self.message_user(request, text, messages.WARNING)
            return None
        winner, loser = users
        return HttpResponseRedirect(self.new_url(winner=winner, loser=loser))


@admin.register(Merge)
class MergeAdmin(ReadOnlyMixin, MergePermissionMixin, WxauthAdmin):
    """Merges: nothing to edit or delete, since it is what undoing needs."""

    change_list_template = "wxauth/admin/merges.html"
    list_display = ("created_at", "loser_link", "winner_link", "state", "done_at", "undone_at")
    list_filter = ("state", "created_at")
    list_select_related = ("winner", "loser")
    search_help_text = _("Exact uid, phone number, openid or unionid.")
    fields = readonly_fields = (
        "loser_link",
        "winner_link",
        "state",
        "confirmer",
        "created_at",
        "confirmed_at",
        "done_at",
        "undone_at",
        "show_plan",
    )
    actions = ("undo",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def matching(self, term: str) -> Q:
        keys = [str(key) for key in find_users(term)] or [term]
        return Q(winner_key__in=keys) | Q(loser_key__in=keys)

    @admin.display(description=_("user who stays"), ordering="winner_key")
    def winner_link(self, merge: Merge) -> str:
        return merge.winner_key if merge.winner is None else self.user_link(merge.winner)

    @admin.display(description=_("user who is merged"), ordering="loser_key")
    def loser_link(self, merge: Merge) -> str:
        return merge.loser_key if merge.loser is None else self.user_link(merge.loser)

    @admin.display(description=_("confirmed by"))
    def confirmer(self, merge: Merge) -> str:
        return self.user_link(merge.confirmed_by)

    @admin.display(description=_("plan"))
    def show_plan(self, merge: Merge) -> str:
        return plan_table(merge.plan)

    @admin.action(permissions=["merge"], description=_("Undo the selected merges"))
    def undo(self, request: HttpRequest, queryset: QuerySet) -> None:
        for merge in queryset.order_by("-done_at"):
            try:
                services.undo_merge(merge=merge, actor=request.user, device=device_of(request))
            except WxauthError as error:
                self.message_user(request, explain(error), messages.ERROR)
            else:
                self.log_change(request, merge, gettext("Undone."))
                text = gettext("%(merge)s has been undone.") % {"merge": merge}
                self.message_user(request, text, messages.SUCCESS)

    # A new one: /new/?winner=…&loser=… shows the plan, and POST does it

    def get_urls(self) -> list[URLPattern]:
        return [
            path("new/", self.admin_site.admin_view(self.new_view), name=NEW),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may_merge = {"may_merge": self.has_merge_permission(request)}
        return super().changelist_view(request, {**(extra_context or {}), **may_merge})

    def new_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_merge_permission(request):
            raise PermissionDenied
        sent = request.POST if request.method == "POST" else request.GET
        texts = {side: sent.get(side, "") for side in ("winner", "loser")}
        users = {side: find_user(text) for side, text in texts.items()}
        plan = None
        try:
            if all(users.values()):
                if request.method == "POST":
                    return self.do_merge(request, services.propose_merge(**users))
                plan = services.plan_merge(**users)
            elif any(texts.values()):
                messages.error(request, gettext("There are no such users."))
        except WxauthError as error:
            messages.error(request, explain(error))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Merge two users"),
            "opts": self.opts,
            "texts": texts,
            "plan": plan and plan_table(plan.as_json()),
            "names": {side: user and user_label(user) for side, user in users.items()},
            "swapped": self.new_url(winner=texts["loser"], loser=texts["winner"]),
        }
        return TemplateResponse(request, "wxauth/admin/merge.html", context)

    def do_merge(self, request: HttpRequest, merge: Merge) -> HttpResponse:
        services.run_merge(merge=merge, actor=request.user, device=device_of(request))
        self.log_change(request, merge, gettext("Merged."))
        text = gettext("%(merge)s: the users have been merged.") % {"merge": merge}
        self.message_user(request, text, messages.SUCCESS)
        url = self.find_url("wxauth_merge_change", str(merge.pk))
        return HttpResponseRedirect(str(url))


def plan_table(plan: dict[str, Any]) -> str:
    heads = [(gettext("rows"),), (gettext("move"),), (gettext("stay"),), (gettext("why"),)]
    rows = [
        (line["name"], line["model"], line["field"], line["moves"], line["stays"], why(line))
        for line in plan.get("lines", [])
    ]
    return format_html(
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>",
        format_html_join("", "<th>{}</th>", heads),
        format_html_join(
            "",
            '<tr><td title="{1}.{2}">{0}</td><td>{3}</td><td>{4}</td><td>{5}</td></tr>',
            rows,
        ),
    )


def why(line: dict[str, Any]) -> str:
    return gettext(line["why"]) if line["why"] else ""


def explain(error: WxauthError) -> str:
    """Return the sentence and, since staff may know it, the reason."""
    return f"{gettext(error.detail)} ({error.reason})"


def find_user(text: str) -> HostUser | None:
    term = clean_term(text)
    keys = find_uid(term) if term else []
    return get_user_model()._base_manager.filter(pk__in=keys).first() if keys else None


def device_of(request: HttpRequest) -> Device:
    agent = "".join(filter(str.isprintable, request.META.get("HTTP_USER_AGENT", "")))
    return Device(user_agent=agent)
