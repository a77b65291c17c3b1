"""The routes of signing in, sessions, the profile and the phone: serializer, service, answer."""

import time

from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from wxauth import services
from wxauth.api import serializers
from wxauth.api.base import SignedInView, SignInView, WechatView
from wxauth.authentication import WechatJWTAuthentication
from wxauth.rest.throttling import AddressThrottle, PersonThrottle
from wxauth.rest.views import device_of


class LoginView(SignInView):
    def post(self, request: Request) -> Response:
        form = self.read(serializers.CodeSerializer, request)
        person = self.confirm(form)
        return self.answer(services.login(person=person, device=device_of(request)))


class RegisterSimpleView(SignInView):
    def post(self, request: Request) -> Response:
        form = self.read(serializers.RegisterSerializer, request)
        person = self.confirm(form)
        return self.answer(
            services.register_simple(
                person=person,
                ticket=form.validated_data.get("ticket"),
                referrer=form.validated_data.get("referrer"),
                scene=form.validated_data.get("scene"),
                device=device_of(request),
            )
        )


class RegisterComplexView(SignInView):
    def post(self, request: Request) -> Response:
        form = self.read(serializers.RegisterComplexSerializer, request)
        data = form.open_data()  # first: broken data must not cost the code
        person = self.confirm(form)
        return self.answer(
            services.register_complex(
                person=person,
                data=data,
                ticket=form.validated_data.get("ticket"),
                referrer=form.validated_data.get("referrer"),
                scene=form.validated_data.get("scene"),
                device=device_of(request),
            )
        )


class AuthorizeView(SignInView):
    def post(self, request: Request) -> Response:
        form = self.read(serializers.AuthorizeSerializer, request)
        person = self.confirm(form)
        return self.answer(
            services.authorize(
                person=person,
                referrer=form.validated_data.get("referrer"),
                scene=form.validated_data.get("scene"),
                device=device_of(request),
            )
        )


class CheckTokenView(WechatView):
    """One SQL statement and no cache: clients call this on every page."""

    def post(self, request: Request) -> Response:
        form = self.read(serializers.CheckTokenSerializer, request)
        raw = form.validated_data.get("token") or request.query_params.get("token")
        if not raw:
            authentication = WechatJWTAuthentication()
            header = authentication.get_header(request)
            raw = header and authentication.get_raw_token(header)
        if not raw:
            raise exceptions.NotAuthenticated()
        token = services.check_token(access=raw)
        return Response(serializers.check_token_body(token, now=time.time()))


class RefreshTokenView(WechatView):
    throttle_classes = [AddressThrottle]
    throttle_group = "refresh"

    def post(self, request: Request) -> Response:
        form = self.read(serializers.RefreshSerializer, request)
        pair = services.refresh(refresh_token=form.validated_data["refresh"])
        return Response(serializers.token_pair_body(pair))


class LogoutView(SignedInView):
    def post(self, request: Request) -> Response:
        form = self.read(serializers.LogoutSerializer, request)
        if form.validated_data["all"]:
            services.logout_everywhere(user=request.user)
        else:
            services.logout(session=self.session(request))
        return Response(status=204)


class MeView(SignedInView):
    def get(self, request: Request) -> Response:
        return Response(serializers.me_body(services.read_me(user=request.user)))

    def patch(self, request: Request) -> Response:
        form = self.read(serializers.ProfileSerializer, request)
        if form.validated_data:
            services.change_profile(user=request.user, changes=form.validated_data)
        return self.get(request)


class BindPhoneView(SignedInView):
    throttle_classes = [PersonThrottle]
    throttle_group = "bind_phone"

    def post(self, request: Request) -> Response:
        session = self.session(request)
        form = self.read(serializers.BindPhoneSerializer, request)
        fields = form.validated_data
        if fields.get("phone_code") is not None:
            phone = services.bind_phone_by_code(
                session=session,
                phone_code=fields["phone_code"],
                app=fields.get("app"),
                device=device_of(request),
            )
        elif fields.get("sms_code") is not None:
            phone = services.bind_phone_by_sms(
                session=session,
                phone=fields["phone"],
                sms_code=fields["sms_code"],
                device=device_of(request),
            )
        else:
            phone = services.bind_phone_by_data(
                session=session,
                data=form.open_data(),
                login_code=fields.get("code"),
                app=fields.get("app"),
                device=device_of(request),
            )
        return Response({"phone": phone.number, "source": phone.source})
