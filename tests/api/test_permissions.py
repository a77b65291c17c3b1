"""HasBoundPhone, and our tokens, on a view of the host project."""

from typing import Any

import pytest
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from tests.phone import Phone
from wxauth.api.permissions import HasBoundPhone
from wxauth.authentication import WechatJWTAuthentication


class Order(APIView):
    """A view as a host project writes it."""

    authentication_classes = [WechatJWTAuthentication]
    permission_classes = [HasBoundPhone]

    def get(self, request: Any) -> Response:
        return Response({"uid": str(request.user.pk)})


def order(access: str | None) -> Any:
    headers = {"Authorization": f"Bearer {access}"} if access else {}
    return Order.as_view()(APIRequestFactory().get("/order", headers=headers))


def test_user_without_a_number_is_told_to_bind_one(member: Phone) -> None:
    response = order(member.tokens["access"])
    assert response.status_code == 403
    assert response.data["detail"] == "Please bind your phone number first."
    assert response.data["detail"].code == "phone_required"


def test_user_with_a_number_may_pass(member: Phone, django_assert_num_queries: Any) -> None:
    member.bind_phone()
    with django_assert_num_queries(2):  # the session with its user, and the number
        response = order(member.tokens["access"])
    assert (response.status_code, response.data) == (200, {"uid": str(member.uid)})


def test_number_of_another_user_does_not_count(member: Phone, make_phone: Any) -> None:
    other = make_phone("carol")
    other.sign_in()
    other.bind_phone()
    assert order(member.tokens["access"]).status_code == 403


@pytest.mark.parametrize("access", [None, "not.a.token"])
def test_who_is_not_signed_in_is_refused(db: None, access: str | None) -> None:
    assert order(access).status_code == 401


def test_session_that_is_over_is_refused(member: Phone) -> None:
    member.bind_phone()
    member.post("logout")
    assert order(member.tokens["access"]).status_code == 401


def test_refresh_token_is_no_access_token(member: Phone) -> None:
    member.bind_phone()
    assert order(member.tokens["refresh"]).status_code == 401
