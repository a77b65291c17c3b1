"""The use cases, for every door and for the host project's own code. Keyword arguments only."""

from wxauth.identities import ConfirmedPerson
from wxauth.services.audit import read_activity
from wxauth.services.devices import Device
from wxauth.services.open_data import OpenData
from wxauth.services.people import confirm_code, confirm_ticket
from wxauth.services.phones import bind_phone_by_code, bind_phone_by_data
from wxauth.services.profiles import Me, change_profile, read_me
from wxauth.services.referrals import Friend, Referrals, read_invite_code, read_referrals
from wxauth.services.sessions import check_token, end_sessions, logout, logout_everywhere, refresh
from wxauth.services.sign_in import (
    SignIn,
    authorize,
    login,
    register_complex,
    register_simple,
)

__all__ = [
    "ConfirmedPerson",
    "Device",
    "Friend",
    "Me",
    "OpenData",
    "Referrals",
    "SignIn",
    "authorize",
    "bind_phone_by_code",
    "bind_phone_by_data",
    "change_profile",
    "check_token",
    "confirm_code",
    "confirm_ticket",
    "end_sessions",
    "login",
    "logout",
    "logout_everywhere",
    "read_activity",
    "read_invite_code",
    "read_me",
    "read_referrals",
    "refresh",
    "register_complex",
    "register_simple",
]
