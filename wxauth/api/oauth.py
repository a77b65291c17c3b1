"""The routes of web authorisation for mobile apps and single pages, and of tickets handed over."""

import secrets
from typing import Any

from django.urls import re_path
from django.utils import translation
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from wxauth import oauth_states, services
from wxauth.api.base import SignedInView, SignInView, WechatView
from wxauth.api.fields import ReferrerField, TextField
from wxauth.api.linking import linked_body
from wxauth.api.serializers import MAX_CODE, AppMixin, sign_in_body
from wxauth.conf import AppKind, WechatApp, conf
from wxauth.exceptions import ReturnRefused, StateInvalid
from wxauth.rest.throttling import AddressThrottle, PersonThrottle
from wxauth.rest.views import device_of
from wxauth.wechat.oauth import authorization_url

FLOW = "json"
MAX_ADDRESS = 1024


class StartSerializer(AppMixin):
    redirect_uri = TextField(required=False, allow_null=True, max_length=MAX_ADDRESS)


class OAuthSerializer(AppMixin):
    """What came back from WeChat, and what the client got when it began."""

    code = TextField(max_length=MAX_CODE)
    state = TextField(max_length=128)
    verifier = TextField(max_length=128)
    referrer = ReferrerField(required=False)
    scene = ReferrerField(required=False)

    def confirm(self) -> services.OAuthProof:
        """Use the state, then spend the code: whoever has no state costs no call of WeChat's."""
        fields = self.validated_data
        app = services.oauth_app(fields.get("app") or None)
        pending = oauth_states.look(
            fields["state"], verifier=fields["verifier"], app=app.alias, flow=FLOW
        )
        if not oauth_states.claim(pending):
            raise StateInvalid(reason="used")
        return services.confirm_oauth_code(oauth_code=fields["code"], app=app.alias)


class TicketSerializer(serializers.Serializer):
    ticket = TextField(max_length=128)


class StartView(WechatView):
    throttle_classes = [AddressThrottle]
    throttle_group = "oauth_start"

    def post(self, request: Request) -> Response:
        form = self.read(StartSerializer, request)
        app = services.oauth_app(form.validated_data.get("app") or None)
        verifier = secrets.token_urlsafe(32)
        back = form.validated_data.get("redirect_uri")
        self._check(app, back)
        state = oauth_states.issue(verifier=verifier, app=app.alias, flow=FLOW)
        address = self._address(app, back, state) if back else None
        return Response(
            {
                "authorization_url": address,
                "state": state,
                "verifier": verifier,
                "expires_in": oauth_states.TTL,
            }
        )

    @staticmethod
    def _address(app: WechatApp, back: str, state: str) -> str:
        language = translation.get_language()
        return authorization_url(app, redirect_uri=back, state=state, language=language)

    @staticmethod
    def _check(app: WechatApp, back: str | None) -> None:
        """A mobile app has no page to go to and none to come back to; all others have both."""
        if app.kind is AppKind.MOBILE:
            if back:
                raise ReturnRefused(reason="a mobile app has no page")
        elif not back or not conf.is_return_address(back):
            raise ReturnRefused(reason="redirect_uri is missing, or not on the list")


class OAuthLoginView(SignInView):
    throttle_group = "oauth"

    def post(self, request: Request) -> Response:
        form = self.read(OAuthSerializer, request)
        proof = form.confirm()
        person = proof.person
        PersonThrottle.check(f"{person.app.app_id}:{person.openid}", group=self.throttle_group)
        return self.answer(
            services.sign_in_by_oauth(
                proof=proof,
                referrer=form.validated_data.get("referrer"),
                scene=form.validated_data.get("scene"),
                device=device_of(request),
            )
        )


class OAuthBindView(SignedInView):
    throttle_classes = [PersonThrottle]
    throttle_group = "oauth_bind"

    def post(self, request: Request) -> Response:
        session = self.session(request)
        form = self.read(OAuthSerializer, request)
        services.require_fresh(session)
        linked = services.bind_oauth(
            session=session, proof=form.confirm(), device=device_of(request)
        )
        return Response(linked_body(linked), status=201 if linked.is_new else 200)


class TicketView(WechatView):
    """For the ticket at the end of a flow in a browser, its session's tokens."""

    throttle_classes = [AddressThrottle]
    throttle_group = "oauth_ticket"

    def post(self, request: Request) -> Response:
        form = self.read(TicketSerializer, request)
        body: dict[str, Any] = sign_in_body(
            services.take_over(ticket=form.validated_data["ticket"])
        )
        return Response(body)


urlpatterns = [
    re_path(r"^oauth/start/?$", StartView.as_view(), name="oauth_start"),
    re_path(r"^oauth/login/?$", OAuthLoginView.as_view(), name="oauth_login"),
    re_path(r"^oauth/bind/?$", OAuthBindView.as_view(), name="oauth_bind"),
    re_path(r"^oauth/ticket/?$", TicketView.as_view(), name="oauth_ticket"),
]
