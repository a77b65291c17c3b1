"""The use cases, for every door and for the host project's own code. Keyword arguments only."""

from wxauth.devices import Device
from wxauth.identities import ConfirmedPerson
from wxauth.services.attaching import PhoneSignIn
from wxauth.services.audit import read_activity
from wxauth.services.freshness import require_fresh
from wxauth.services.linking import Linked, bind_wechat, unbind_phone, unbind_wechat
from wxauth.services.merge_plans import MergePlan, PlanLine, is_merged, merged_into, plan_merge
from wxauth.services.merging import (
    collect_late_rows,
    confirm_own_merge,
    forget_merges,
    propose_merge,
    propose_own_merge,
    run_merge,
    undo_merge,
)
from wxauth.services.my_sessions import end_other_sessions, end_session, list_sessions
from wxauth.services.open_data import OpenData
from wxauth.services.passwords import reset_password, set_password
from wxauth.services.people import confirm_code, confirm_ticket
from wxauth.services.phone_login import PhoneCode, phone_login
from wxauth.services.phone_sign_in import (
    attach_by_password_login,
    attach_by_sms,
    authorize_by_sms,
    login_by_password,
    login_by_sms,
)
from wxauth.services.phones import bind_phone_by_code, bind_phone_by_data, bind_phone_by_sms
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
from wxauth.services.sms import send_sms_code
from wxauth.services.wechat_session import check_wechat_session, reset_wechat_session

__all__ = [
    "ConfirmedPerson",
    "Device",
    "Friend",
    "Linked",
    "Me",
    "MergePlan",
    "OpenData",
    "PhoneCode",
    "PhoneSignIn",
    "PlanLine",
    "Referrals",
    "SignIn",
    "attach_by_password_login",
    "attach_by_sms",
    "authorize",
    "authorize_by_sms",
    "bind_phone_by_code",
    "bind_phone_by_data",
    "bind_phone_by_sms",
    "bind_wechat",
    "change_profile",
    "check_token",
    "check_wechat_session",
    "collect_late_rows",
    "confirm_code",
    "confirm_own_merge",
    "confirm_ticket",
    "end_other_sessions",
    "end_session",
    "end_sessions",
    "forget_merges",
    "is_merged",
    "list_sessions",
    "login",
    "login_by_password",
    "login_by_sms",
    "logout",
    "logout_everywhere",
    "merged_into",
    "phone_login",
    "plan_merge",
    "propose_merge",
    "propose_own_merge",
    "read_activity",
    "read_invite_code",
    "read_me",
    "read_referrals",
    "refresh",
    "register_complex",
    "register_simple",
    "require_fresh",
    "reset_password",
    "reset_wechat_session",
    "run_merge",
    "send_sms_code",
    "set_password",
    "unbind_phone",
    "unbind_wechat",
    "undo_merge",
]
