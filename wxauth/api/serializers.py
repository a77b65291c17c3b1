"""
The wire names. Three different codes come in as ``code``; past this module none is called so.
"""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from wxauth.api.fields import (
    ChoiceNumberField,
    FlagField,
    LinkField,
    ObjectField,
    ReferrerField,
    TextField,
)
from wxauth.conf import conf
from wxauth.exceptions import UnknownApp
from wxauth.models import WechatProfile
from wxauth.services import ConfirmedPerson, Me, OpenData, SignIn, confirm_code, confirm_ticket
from wxauth.tokens import AccessToken, TokenPair

MAX_CODE = 512  # characters; WeChat's codes are 32, and documents promise no limit
MAX_DATA = 32 * 1024
MAX_TOKEN = 4096


class AppMixin(serializers.Serializer):
    app = TextField(required=False, allow_null=True, allow_blank=True, max_length=64)


class CodeSerializer(AppMixin):
    """A login code, spent at WeChat by ``confirm``."""

    code = TextField(max_length=MAX_CODE)

    def confirm(self) -> ConfirmedPerson:
        fields = self.validated_data
        return confirm_code(login_code=fields["code"], app=fields.get("app") or None)


class AuthorizeSerializer(CodeSerializer):
    referrer = ReferrerField(required=False)
    scene = ReferrerField(required=False)


class RegisterSerializer(AppMixin):
    """Either a login code or the ticket that a login has answered."""

    code = TextField(required=False, allow_null=True, max_length=MAX_CODE)
    ticket = TextField(required=False, allow_null=True, max_length=MAX_CODE)
    referrer = ReferrerField(required=False)
    scene = ReferrerField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs.get("code")) == bool(attrs.get("ticket")):
            raise serializers.ValidationError(_("Send either code or ticket."))
        return attrs

    def confirm(self) -> ConfirmedPerson:
        fields = self.validated_data
        if fields.get("ticket"):
            person = confirm_ticket(ticket=fields["ticket"])
            if fields.get("app") not in (None, "", person.app.alias):
                raise UnknownApp(reason="the ticket is of another app")
            return person
        return confirm_code(login_code=fields["code"], app=fields.get("app") or None)


class OpenDataMixin(serializers.Serializer):
    encryptedData = TextField(max_length=MAX_DATA)
    iv = TextField(max_length=64)

    def open_data(self) -> OpenData:
        fields = self.validated_data
        return OpenData(
            encrypted_data=fields["encryptedData"],
            iv=fields["iv"],
            raw_data=fields.get("rawData"),
            signature=fields.get("signature"),
        )


class RegisterComplexSerializer(OpenDataMixin, RegisterSerializer):
    rawData = TextField(required=False, allow_null=True, trim_whitespace=False, max_length=MAX_DATA)
    signature = TextField(required=False, allow_null=True, max_length=128)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs.get("rawData") is None) != (attrs.get("signature") is None):
            raise serializers.ValidationError(_("Send rawData and signature together."))
        return super().validate(attrs)


class CheckTokenSerializer(serializers.Serializer):
    token = TextField(required=False, allow_null=True, max_length=MAX_TOKEN)


class RefreshSerializer(serializers.Serializer):
    refresh = TextField(max_length=MAX_TOKEN)


class LogoutSerializer(serializers.Serializer):
    all = FlagField(required=False, allow_null=True, default=False)


class BindPhoneSerializer(OpenDataMixin, AppMixin):
    """The code of the phone button, what older clients have instead, or that of a message."""

    phone_code = TextField(required=False, allow_null=True, max_length=MAX_CODE)
    encryptedData = TextField(required=False, allow_null=True, max_length=MAX_DATA)
    iv = TextField(required=False, allow_null=True, max_length=64)
    code = TextField(required=False, allow_null=True, max_length=MAX_CODE)
    phone = TextField(required=False, allow_null=True, max_length=32)
    sms_code = TextField(required=False, allow_null=True, max_length=16)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        proofs = {name for name, value in attrs.items() if value is not None and name != "app"}
        if "sms_code" not in proofs:
            proofs.discard("phone")  # a number alone proves nothing, and is not looked at
        if proofs - {"code"} == {"encryptedData", "iv"}:
            return attrs
        if proofs not in ({"phone_code"}, {"phone", "sms_code"}):
            raise serializers.ValidationError(
                _(
                    "Send phone_code, or encryptedData and iv with or without code, "
                    "or phone and sms_code."
                )
            )
        return attrs


class ProfileSerializer(serializers.ModelSerializer):
    nickname = TextField(required=False, allow_blank=True, max_length=128)
    avatar_url = LinkField(required=False, allow_blank=True, max_length=1024)
    gender = ChoiceNumberField(required=False, choices=WechatProfile.Gender.choices)
    ext = ObjectField(required=False)

    class Meta:
        model = WechatProfile
        fields = ["nickname", "avatar_url", "gender", "ext"]


def sign_in_body(result: SignIn) -> dict[str, Any]:
    body = {
        **token_pair_body(result.tokens),
        "uid": result.user.pk,
        "registered": result.registered,
    }
    if result.union_conflict:
        body["union_conflict"] = True
    if result.deletion_cancelled:
        body["deletion_cancelled"] = True
    return body


def token_pair_body(pair: TokenPair) -> dict[str, Any]:
    return {"access": pair.access, "refresh": pair.refresh, "expires_in": pair.expires_in}


def check_token_body(token: AccessToken, *, now: float) -> dict[str, Any]:
    session = token.login_session
    return {
        "uid": session.user_id,
        "expires_in": max(int(token.expires_at - now), 0),
        "app": session.app,
    }


def me_body(me: Me) -> dict[str, Any]:
    aliases = {app.app_id: app.alias for app in conf.apps.values()}
    return {
        "uid": me.user.pk,
        **ProfileSerializer(me.profile).data,
        "phone": me.phone.masked if me.phone else None,
        "app": me.profile.app or None,
        "identities": [
            {
                "id": identity.pk,
                "app": aliases.get(identity.app_id),
                "openid": identity.openid,
                "last_login_at": identity.last_login_at,
            }
            for identity in me.identities
        ],
        "referrer": me.referral.referrer_id if me.referral else None,
    }
