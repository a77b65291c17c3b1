"""One table each: what is asked of it, how it changes, and who wins a race for it."""

from wxauth.managers.audit import AuditEventManager
from wxauth.managers.identity import WechatIdentityManager, WechatUnionManager
from wxauth.managers.leaving import DeletionRequestManager
from wxauth.managers.merge import MergeManager
from wxauth.managers.numbering import AccountNumberManager
from wxauth.managers.person import (
    InviteCodeManager,
    PhoneNumberManager,
    ReferralManager,
    WechatProfileManager,
)
from wxauth.managers.provider_token import ProviderTokenManager
from wxauth.managers.session import LoginSessionManager
from wxauth.managers.sms import SmsCodeManager, TallyManager

__all__ = [
    "AccountNumberManager",
    "AuditEventManager",
    "DeletionRequestManager",
    "InviteCodeManager",
    "LoginSessionManager",
    "MergeManager",
    "PhoneNumberManager",
    "ProviderTokenManager",
    "ReferralManager",
    "SmsCodeManager",
    "TallyManager",
    "WechatIdentityManager",
    "WechatProfileManager",
    "WechatUnionManager",
]
