"""The calls of accounts without WeChat: text messages, and passwords for phone numbers."""

from typing import Any

from wxauth import services
from wxauth.apifactory.base import Call
from wxauth.apifactory.parameters import Parameters
from wxauth.apifactory.sign_in import kept_object, signed_in
from wxauth.exceptions import NotOffered, PhoneRequired
from wxauth.services import ANY_PURPOSE


class SendCode(Call):
    """``smsValidateCode``: one kind of code, good for every call here that takes one."""

    throttle_group = "sms"

    def answer(self, call: Parameters) -> Any:
        self.send(call, call.required("mobile"))

    def send(self, call: Parameters, number: str) -> None:
        picture = call.text("picCode")
        if picture is not None:
            services.use_picture(key=call.required("key"), typed=picture)
        services.send_sms_code(
            phone=number, purpose=ANY_PURPOSE, app=self.app.alias, device=self.device
        )


class SendCodeToOwn(SendCode):
    """``smsValidateCodeByToken``: to the number that is bound."""

    def answer(self, call: Parameters) -> Any:
        phone = services.number_of(user=self.session(call).user)
        if phone is None:
            raise PhoneRequired(reason="no number is bound")
        self.send(call, phone.number)


class CheckCode(Call):
    """``smsValidateCodeCheck``: whether the code is right; it stays good."""

    throttle_group = "sms"

    def answer(self, call: Parameters) -> Any:
        services.check_sms_code(
            phone=call.required("mobile"), purpose=ANY_PURPOSE, sms_code=call.required("code")
        )


class Register(Call):
    """``register_mobile``: an account with number and password."""

    def answer(self, call: Parameters) -> Any:
        fields: dict[str, Any] = {
            "phone": call.required("mobile"),
            "password": call.required("pwd"),
            "app": self.app.alias,
            "device": self.device,
        }
        services.register_by_sms(
            sms_code=call.required("code"),
            purpose=ANY_PURPOSE,
            nickname=services.clean_nickname(call.text("nick") or ""),
            ext=kept_object(call),
            referrer=call.text("referrer"),
            **fields,
        )
        if call.flag("autoLogin"):
            return signed_in(services.login_by_password(**fields))
        return None


class LoginByPassword(Call):
    """``login_mobile`` and V2."""

    def answer(self, call: Parameters) -> Any:
        result = services.login_by_password(
            phone=call.required("mobile"),
            password=call.required("pwd"),
            app=self.app.alias,
            device=self.device,
        )
        return signed_in(result)


class LoginByCode(Call):
    """``loginMobileSmsCode``, which registers when it is told to."""

    def answer(self, call: Parameters) -> Any:
        fields: dict[str, Any] = {
            "phone": call.required("mobile"),
            "sms_code": call.required("code"),
            "purpose": ANY_PURPOSE,
            "app": self.app.alias,
            "device": self.device,
        }
        if call.flag("autoReg"):
            referrer = call.text("referrer")
            return signed_in(services.authorize_by_sms(referrer=referrer, **fields))
        return signed_in(services.login_by_sms(**fields))


class ResetPassword(Call):
    """``resetPwdUseMobileCode``: 10000 when the number has no account."""

    def answer(self, call: Parameters) -> Any:
        services.reset_password(
            phone=call.required("mobile"),
            sms_code=call.required("code"),
            purpose=ANY_PURPOSE,
            password=call.required("pwd"),
            device=self.device,
        )


class ModifyPassword(Call):
    """``modifyUserPassword``: the old password is the proof."""

    def answer(self, call: Parameters) -> Any:
        services.change_password(
            session=self.session(call),
            old=call.required("pwdOld"),
            password=call.required("pwdNew"),
            device=self.device,
        )


class NotHere(Call):
    """A call of the contract that this package leaves out: it says so instead of failing."""

    def answer(self, call: Parameters) -> Any:
        raise NotOffered()
