"""The tables. Rules about one table live here and in ``managers``; the rest in ``services``."""

from wxauth.models.audit import AuditEvent
from wxauth.models.identity import WechatIdentity, WechatUnion
from wxauth.models.leaving import DeletionRequest
from wxauth.models.merge import Merge, MergeStep
from wxauth.models.numbering import AccountNumber
from wxauth.models.person import PhoneNumber, Referral, WechatProfile
from wxauth.models.provider_token import ProviderToken
from wxauth.models.referring import InviteCode
from wxauth.models.session import LoginSession
from wxauth.models.sms import SmsCode, Tally

__all__ = [
    "AccountNumber",
    "AuditEvent",
    "DeletionRequest",
    "InviteCode",
    "LoginSession",
    "Merge",
    "MergeStep",
    "PhoneNumber",
    "ProviderToken",
    "Referral",
    "SmsCode",
    "Tally",
    "WechatIdentity",
    "WechatProfile",
    "WechatUnion",
]
