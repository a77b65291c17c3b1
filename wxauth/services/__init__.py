"""The use cases, for every door and for the host project's own code. Keyword arguments only."""

from wxauth.identities import ConfirmedPerson
from wxauth.services.devices import Device
from wxauth.services.open_data import OpenData
from wxauth.services.passwords import reset_password, set_password
from wxauth.services.people import confirm_code, confirm_ticket
from wxauth.services.phone_sign_in import (
    attach_by_password_login,
    attach_by_sms,
    authorize_by_sms,
    login_by_password,
    login_by_sms,
)
from wxauth.services.phones import bind_phone_by_code, bind_phone_by_data, bind_phone_by_sms
from wxauth.services.profiles import Me, change_profile, read_me
from wxauth.services.sessions import check_token, end_sessions, logout, logout_everywhere, refresh
from wxauth.services.sign_in import (
    SignIn,
    authorize,
    login,
    register_complex,
    register_simple,
)
from wxauth.services.sms import send_sms_code

__all__ = [
    "ConfirmedPerson",
    "Device",
    "Me",
    "OpenData",
    "SignIn",
    "attach_by_password_login",
    "attach_by_sms",
    "authorize",
    "authorize_by_sms",
    "bind_phone_by_code",
    "bind_phone_by_data",
    "bind_phone_by_sms",
    "change_profile",
    "check_token",
    "confirm_code",
    "confirm_ticket",
    "end_sessions",
    "login",
    "login_by_password",
    "login_by_sms",
    "logout",
    "logout_everywhere",
    "read_me",
    "refresh",
    "register_complex",
    "register_simple",
    "reset_password",
    "send_sms_code",
    "set_password",
]
