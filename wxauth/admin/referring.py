"""Two pages beside the list of referrals: who invited whom, and who invited most. Read-only."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from wxauth.admin.base import LinksMixin, ReadOnlyMixin, WxauthAdmin, user_label
from wxauth.admin.search import clean_term, find_uid, find_users
from wxauth.conf import HostUser, conf
from wxauth.invite_codes import read
from wxauth.models import InviteCode, Referral
from wxauth.services.pages import Position, newest

CHAIN = 20  # people above somebody that the tree shows
ROWS = 50  # invited people on one page of the tree, and leaders
PERIODS = {7: _("7 days"), 30: _("30 days"), 90: _("90 days"), 365: _("one year")}
PERIOD = 30  # days, without a choice


class ReferralPagesMixin(LinksMixin, admin.ModelAdmin):
    """The pages, for the admin of referrals. Who may view referrals may view them."""

    change_list_template = "wxauth/admin/referral_list.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("tree/", view(self.tree_view), name="wxauth_referral_tree"),
            path("leaders/", view(self.leaders_view), name="wxauth_referral_leaders"),
            *super().get_urls(),
        ]

    def tree_view(self, request: HttpRequest) -> HttpResponseBase:
        """
        Show one user: who invited them, and whom they invited with how many each of those has.

        The next level is one click away: no page reads more than fifty people.
        """
        term = clean_term(request.GET.get("user", "")) or ""
        keys = find_uid(term) if term else []
        root = get_user_model()._base_manager.filter(pk__in=keys).first() if keys else None
        context = {"title": _("Who invited whom"), "term": term, "root": root}
        if root is not None:
            context |= self._tree(root, before=Position.read(request.GET.get("before", "")))
        return self._page(request, "referral_tree.html", context)

    def leaders_view(self, request: HttpRequest) -> HttpResponseBase:
        """Show who has invited most people who registered within a period."""
        days = request.GET.get("days", "")
        chosen = int(days) if days in map(str, PERIODS) else PERIOD
        now = timezone.now()
        leaders = Referral.objects.leaders(
            since=now - timedelta(days=chosen), until=now, limit=ROWS
        )
        names = self._names(key for key, _number in leaders)
        rows = [
            {"rank": rank, "url": self._tree_url(key), "name": names.get(key, key), "number": n}
            for rank, (key, n) in enumerate(leaders, start=1)
        ]
        context = {"title": _("Who invited most"), "rows": rows, "chosen": chosen}
        context["periods"] = PERIODS.items()
        return self._page(request, "referral_leaders.html", context)

    def _tree(self, root: HostUser, *, before: Position | None) -> dict[str, Any]:
        above = Referral.objects.chain(root, length=CHAIN)
        names = self._names(above)
        invited = Referral.objects.filter(referrer=root).select_related("referee")
        page = newest(invited, by="created_at", before=before, limit=ROWS)
        numbers = Referral.objects.count_invited(row.referee_id for row in page.rows)
        rows = [
            {
                "name": user_label(row.referee),
                "url": self._tree_url(row.referee_id),
                "number": numbers.get(row.referee_id, 0),
                "referral": row,
            }
            for row in page.rows
        ]
        levels = Referral.objects.count_levels(root, depth=conf.referral_depth)
        return {
            "name": user_label(root),
            "link": self.user_link(root),
            "places": self.places(root.pk),
            # The oldest first, as one reads a path.
            "chain": [(self._tree_url(key), names.get(key, key)) for key in reversed(above)],
            "levels": list(enumerate(levels, start=1)),
            "rows": rows,
            "next": self._tree_url(root.pk, before=page.next) if page.next else None,
        }

    def _names(self, keys: Any) -> dict[Any, str]:
        users = get_user_model()._base_manager.in_bulk(list(keys))
        return {key: user_label(user) for key, user in users.items()}

    def _tree_url(self, key: Any, *, before: Position | None = None) -> str:
        query = {"user": str(key)}
        if before is not None:
            query["before"] = str(before)
        url = reverse("admin:wxauth_referral_tree", current_app=self.admin_site.name)
        return f"{url}?{urlencode(query)}"

    def _page(
        self, request: HttpRequest, template: str, context: dict[str, Any]
    ) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        shared = {**self.admin_site.each_context(request), "opts": self.model._meta}
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"wxauth/admin/{template}", {**shared, **context})


@admin.register(InviteCode)
class InviteCodeAdmin(ReadOnlyMixin, WxauthAdmin):
    """Invite codes: whose they are. Found by the code as people write it, too."""

    list_display = ("code", "owner", "created_at")
    search_help_text = _("Exact invite code, uid, phone number, openid or unionid.")
    fields = readonly_fields = ("owner", "code", "created_at", "see_also")

    def matching(self, term: str) -> Q:
        return Q(user__in=find_users(term)) | Q(code=read(term) or "")
