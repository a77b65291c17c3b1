"""The calls that end in a token, or make an account, by what WeChat confirms."""

from typing import Any

from wxauth import services, tokens
from wxauth.apifactory.base import Call, app_by_id
from wxauth.apifactory.numbers import show_number
from wxauth.apifactory.parameters import Parameters
from wxauth.exceptions import AlreadyRegistered, InvalidInput
from wxauth.services import OpenData, PhoneCode, SignIn


class Login(Call):
    """``login_wx``: who has an account; 10000 for who has none."""

    def answer(self, call: Parameters) -> Any:
        person = self.confirm(call, app_by_id(call.text("appid"), self.app))
        return signed_in(services.login(person=person, device=self.device))


class ServiceLogin(Login):
    """``wxappServiceLogin``, which registers when it is told to."""

    def answer(self, call: Parameters) -> Any:
        return authorize(self, call) if call.flag("autoReg") else super().answer(call)


class Authorize(Call):
    """``authorize``: sign in, and register who has no account."""

    def answer(self, call: Parameters) -> Any:
        return authorize(self, call)


class RegisterSimple(Call):
    """``register_simple``: an account without a profile; its owner signs in afterwards."""

    def answer(self, call: Parameters) -> Any:
        return self.register(call, self.confirm(call))

    def register(
        self, call: Parameters, person: services.ConfirmedPerson, data: OpenData | None = None
    ) -> None:
        is_new = services.join(
            person=person,
            data=data,
            ext=kept_object(call),
            referrer=call.text("referrer"),
            device=self.device,
        )
        if not is_new:
            raise AlreadyRegistered()


class RegisterComplex(RegisterSimple):
    """``register_complex``: an account with the profile in ``encryptedData``."""

    def answer(self, call: Parameters) -> Any:
        data = open_data(call)  # first: broken data must not cost the code
        return self.register(call, self.confirm(call), data)


class PhoneLogin(Call):
    """``loginWxaMobile`` and V2: the number is in ``encryptedData``."""

    def answer(self, call: Parameters) -> Any:
        proof = self.proof(call)
        person = self.confirm(call)
        if call.flag("autoReg"):
            referrer = call.text("referrer")
            found = services.phone_login(
                person=person, proof=proof, referrer=referrer, device=self.device
            )
        else:
            found = services.phone_login_of_known(person=person, proof=proof, device=self.device)
        return signed_in(found.sign_in)

    def proof(self, call: Parameters) -> PhoneCode | OpenData:
        return open_data(call)


class PhoneCodeLogin(PhoneLogin):
    """``loginWxaMobileV3``: by the code of the phone button."""

    def proof(self, call: Parameters) -> PhoneCode | OpenData:
        return PhoneCode(call.required("codeMobile"))


class ReadNumber(Call):
    """``fetchWxaMobile``: the number behind a code of the phone button."""

    def answer(self, call: Parameters) -> Any:
        number = services.read_phone_code(phone_code=call.required("code"), app=self.app.alias)
        return show_number(number)


class Decode(Call):
    """``encryptedData``: what is inside, for who holds a fresh code of the same person."""

    def answer(self, call: Parameters) -> Any:
        data = open_data(call)
        return services.open_data_of(person=self.confirm(call), data=data)


class BindOpenid(Call):
    """``bindOpenid``: WeChat for an account that has none in this mini program."""

    def answer(self, call: Parameters) -> Any:
        session = self.session(call)
        app = app_by_id(call.text("appid"), self.app)
        services.bind_wechat(
            session=session,
            login_code=call.required("code"),
            app=app.alias,
            device=self.device,
        )


def authorize(view: Call, call: Parameters) -> dict[str, Any]:
    """Sign the person of the call in, registered if need be, and return the answer's data."""
    person = view.confirm(call)
    return signed_in(
        services.authorize(
            person=person,
            ext=kept_object(call),
            referrer=call.text("referrer"),
            device=view.device,
        )
    )


def signed_in(result: SignIn) -> dict[str, Any]:
    """Return what these clients keep of a sign-in."""
    phone = services.number_of(user=result.user)
    return {
        "token": tokens.issue_lasting(result.session),
        "uid": services.uid_of(user=result.user),
        "openid": result.identity.openid if result.identity else "",
        "mobile": show_number(phone.number) if phone else "",
    }


def open_data(call: Parameters) -> OpenData:
    """Return the encrypted data of the call; raise when it cannot be that."""
    return OpenData(encrypted_data=call.required("encryptedData"), iv=call.required("iv"))


def kept_object(call: Parameters) -> dict[str, Any] | None:
    """Return ``postJsonString``; what is no object never fails a registration."""
    try:
        return call.object("postJsonString")
    except InvalidInput:
        return None
