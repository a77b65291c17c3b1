"""The use cases, for every door and for the host project's own code. Keyword arguments only."""

from wxauth.devices import Device
from wxauth.identities import ConfirmedPerson
from wxauth.models import SmsCode
from wxauth.services.attaching import PhoneSignIn
from wxauth.services.audit import read_activity
from wxauth.services.avatar_copies import AvatarCopy, copy_avatar, pending_avatars
from wxauth.services.avatars import store_avatar
from wxauth.services.freshness import require_fresh
from wxauth.services.leaving import delete_now
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
from wxauth.services.oauth import (
    OAuthProof,
    bind_oauth,
    confirm_oauth_code,
    oauth_app,
    sign_in_by_oauth,
    take_over,
)
from wxauth.services.open_data import OpenData, clean_avatar_url, clean_nickname, open_data_of
from wxauth.services.password_accounts import change_password, register_by_sms
from wxauth.services.passwords import keeping_session, reset_password, set_password
from wxauth.services.people import confirm_code, confirm_ticket
from wxauth.services.phone_login import PhoneCode, phone_login, phone_login_of_known
from wxauth.services.phone_sign_in import (
    attach_by_password_login,
    attach_by_sms,
    authorize_by_sms,
    login_by_password,
    login_by_sms,
)
from wxauth.services.phones import (
    bind_phone_by_code,
    bind_phone_by_data,
    bind_phone_by_sms,
    read_phone_code,
)
from wxauth.services.pictures import check_picture, draw_picture, use_picture
from wxauth.services.profiles import Me, change_profile, identity_of, number_of, read_me
from wxauth.services.provider_tokens import (
    ProviderAccess,
    provider_access,
    read_wechat_profile,
    refresh_profile,
    refresh_provider_token,
)
from wxauth.services.referrals import (
    Friend,
    Inviter,
    Referrals,
    find_referrer,
    read_invite_code,
    read_inviter,
    read_referrals,
)
from wxauth.services.scanning import (
    Newcomer,
    Phone,
    ScanRequest,
    ShownScan,
    begin_scan,
    begin_scan_to_link,
    collect_scan,
    confirm_scan,
    look_at_scan,
    read_scan,
    refuse_scan,
)
from wxauth.services.sessions import (
    adopt_session,
    check_token,
    end_sessions,
    logout,
    logout_everywhere,
    open_session_of,
    refresh,
)
from wxauth.services.sign_in import (
    SignIn,
    authorize,
    join,
    login,
    register_complex,
    register_simple,
)
from wxauth.services.sms import check_sms_code, send_sms_code
from wxauth.services.uids import uid_of
from wxauth.services.wechat_session import check_wechat_session, reset_wechat_session

# What a client of API工厂 asks a code for, before it says what for.
ANY_PURPOSE = SmsCode.Purpose.ANY

__all__ = [
    "ANY_PURPOSE",
    "AvatarCopy",
    "ConfirmedPerson",
    "Device",
    "Friend",
    "Inviter",
    "Linked",
    "Me",
    "MergePlan",
    "Newcomer",
    "OAuthProof",
    "OpenData",
    "Phone",
    "PhoneCode",
    "PhoneSignIn",
    "PlanLine",
    "ProviderAccess",
    "Referrals",
    "ScanRequest",
    "ShownScan",
    "SignIn",
    "adopt_session",
    "attach_by_password_login",
    "attach_by_sms",
    "authorize",
    "authorize_by_sms",
    "begin_scan",
    "begin_scan_to_link",
    "bind_oauth",
    "bind_phone_by_code",
    "bind_phone_by_data",
    "bind_phone_by_sms",
    "bind_wechat",
    "change_password",
    "change_profile",
    "check_picture",
    "check_sms_code",
    "check_token",
    "check_wechat_session",
    "clean_avatar_url",
    "clean_nickname",
    "collect_late_rows",
    "collect_scan",
    "confirm_code",
    "confirm_oauth_code",
    "confirm_own_merge",
    "confirm_scan",
    "confirm_ticket",
    "copy_avatar",
    "delete_now",
    "draw_picture",
    "end_other_sessions",
    "end_session",
    "end_sessions",
    "find_referrer",
    "forget_merges",
    "identity_of",
    "is_merged",
    "join",
    "keeping_session",
    "list_sessions",
    "login",
    "login_by_password",
    "login_by_sms",
    "logout",
    "logout_everywhere",
    "look_at_scan",
    "merged_into",
    "number_of",
    "oauth_app",
    "open_data_of",
    "open_session_of",
    "pending_avatars",
    "phone_login",
    "phone_login_of_known",
    "plan_merge",
    "propose_merge",
    "propose_own_merge",
    "provider_access",
    "read_activity",
    "read_invite_code",
    "read_inviter",
    "read_me",
    "read_phone_code",
    "read_referrals",
    "read_scan",
    "read_wechat_profile",
    "refresh",
    "refresh_profile",
    "refresh_provider_token",
    "refuse_scan",
    "register_by_sms",
    "register_complex",
    "register_simple",
    "require_fresh",
    "reset_password",
    "reset_wechat_session",
    "run_merge",
    "send_sms_code",
    "set_password",
    "sign_in_by_oauth",
    "store_avatar",
    "take_over",
    "uid_of",
    "unbind_phone",
    "unbind_wechat",
    "undo_merge",
    "use_picture",
]
