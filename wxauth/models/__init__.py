"""The tables. Rules about one table live here and in ``managers``; the rest in ``services``."""

from wxauth.models.audit import AuditEvent
from wxauth.models.identity import WechatIdentity, WechatUnion
from wxauth.models.person import PhoneNumber, Referral, WechatProfile
from wxauth.models.session import LoginSession
from wxauth.models.sms import PasswordDate, SmsCode, Tally

__all__ = [
    "AuditEvent",
    "LoginSession",
    "PasswordDate",
    "PhoneNumber",
    "Referral",
    "SmsCode",
    "Tally",
    "WechatIdentity",
    "WechatProfile",
    "WechatUnion",
]
