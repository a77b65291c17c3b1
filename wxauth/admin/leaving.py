"""Deletion requests in the admin: to look at, and to withdraw."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from wxauth.admin.base import ReadOnlyMixin, WxauthAdmin
from wxauth.models import DeletionRequest
from wxauth.services.leaving import withdraw_deletion


@admin.register(DeletionRequest)
class DeletionRequestAdmin(ReadOnlyMixin, WxauthAdmin):
    """Deleting a request is withdrawing it: the account stays, and the audit trail says who."""

    list_display = ("owner", "source", "requested_at", "due_at", "failed_at", "error")
    list_filter = ("source", "due_at")
    ordering = ("due_at",)
    fields = readonly_fields = (
        "owner",
        "source",
        "requested_at",
        "due_at",
        "failed_at",
        "error",
        "see_also",
    )

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        withdraw_deletion(request=obj, actor=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        for row in queryset.select_related("user"):
            withdraw_deletion(request=row, actor=request.user)
