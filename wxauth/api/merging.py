"""Merging two accounts of one person, who is signed in to the one and has a token of the other."""

from typing import Any

from django.urls import re_path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from wxauth import services
from wxauth.api.base import SignedInView
from wxauth.api.fields import TextField
from wxauth.api.serializers import MAX_TOKEN
from wxauth.models import Merge
from wxauth.rest.storable import SAFE_INTEGER
from wxauth.rest.throttling import PersonThrottle
from wxauth.rest.views import device_of


class NumberField(serializers.IntegerField):
    """A JSON integer, or its digits in a form. DRF's own field also takes 1.0 and true."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and not (data.isascii() and data.isdigit()):
            self.fail("invalid")
        if isinstance(data, bool) or not isinstance(data, (int, str)):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class OtherTokenSerializer(serializers.Serializer):
    other_token = TextField(max_length=MAX_TOKEN)


class ConfirmMergeSerializer(OtherTokenSerializer):
    merge = NumberField(min_value=1, max_value=SAFE_INTEGER)


class MergeView(SignedInView):
    throttle_classes = [PersonThrottle]
    throttle_group = "merge"


class PlanMergeView(MergeView):
    """The account of the other token would become part of the signed-in one: what moves?"""

    def post(self, request: Request) -> Response:
        form = self.read(OtherTokenSerializer, request)
        merge = services.propose_own_merge(
            session=self.session(request), other_access=form.validated_data["other_token"]
        )
        return Response(merge_body(merge))


class ConfirmMergeView(MergeView):
    """Do it. All or nothing; asked again after a lost answer, it says that it is done."""

    def post(self, request: Request) -> Response:
        form = self.read(ConfirmMergeSerializer, request)
        merge = services.confirm_own_merge(
            session=self.session(request),
            other_access=form.validated_data["other_token"],
            merge_id=form.validated_data["merge"],
            device=device_of(request),
        )
        return Response(merge_body(merge))


def merge_body(merge: Merge) -> dict[str, Any]:
    """Return the plan in words and counts: the project's models are nobody's business outside."""
    return {
        "merge": merge.pk,
        "state": merge.state,
        "uid": merge.winner_id,
        "other_uid": merge.loser_id,
        "moves": [
            {"name": line["name"], "rows": line["moves"]}
            for line in merge.plan["lines"]
            if line["moves"]
        ],
        "stays": [
            {"name": line["name"], "rows": line["stays"]}
            for line in merge.plan["lines"]
            if line["stays"]
        ],
    }


urlpatterns = [
    re_path(r"^merge/plan/?$", PlanMergeView.as_view(), name="merge_plan"),
    re_path(r"^merge/confirm/?$", ConfirmMergeView.as_view(), name="merge_confirm"),
]
