"""
The admin. Its lists show no secret and no whole phone number, and search by exact ids.

A host project takes the inlines for the admin of its own user model from here.
"""

from wxauth.admin.audit import AuditEventAdmin
from wxauth.admin.identities import WechatIdentityAdmin, WechatUnionAdmin
from wxauth.admin.inlines import (
    WXAUTH_INLINES,
    LoginSessionInline,
    PhoneNumberInline,
    ReferralInline,
    WechatIdentityInline,
    WechatProfileInline,
)
from wxauth.admin.leaving import DeletionRequestAdmin
from wxauth.admin.merging import MergeAdmin
from wxauth.admin.people import PhoneNumberAdmin, ReferralAdmin, WechatProfileAdmin
from wxauth.admin.referring import InviteCodeAdmin
from wxauth.admin.sessions import LoginSessionAdmin

__all__ = [
    "WXAUTH_INLINES",
    "AuditEventAdmin",
    "DeletionRequestAdmin",
    "InviteCodeAdmin",
    "LoginSessionAdmin",
    "LoginSessionInline",
    "MergeAdmin",
    "PhoneNumberAdmin",
    "PhoneNumberInline",
    "ReferralAdmin",
    "ReferralInline",
    "WechatIdentityAdmin",
    "WechatIdentityInline",
    "WechatProfileAdmin",
    "WechatProfileInline",
    "WechatUnionAdmin",
]
