"""
Text messages through Tencent Cloud, by its own SDK: the extra ``wxauth[tencent]``.

https://cloud.tencent.com/document/api/382/55981, with the codes at its end.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.views.decorators.debug import sensitive_variables
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sms.v20210111.models import SendSmsRequest
from tencentcloud.sms.v20210111.sms_client import SmsClient

from wxauth.exceptions import (
    PhoneInputInvalid,
    SmsRateLimited,
    SmsRefused,
    SmsUnavailable,
    WxauthError,
)
from wxauth.sms.base import Silence, SmsMessage, SmsSender, never_left

LIMITED = "LimitExceeded.PhoneNumber"
BAD_NUMBER = {"InvalidParameterValue.IncorrectPhoneNumber"}
BUSY = ("InternalError", "RequestLimitExceeded")
# What the SDK itself says; it does not tell a request that was not sent from a lost answer.
UNKNOWN = {"ClientNetworkError", "ServerNetworkError"}
logging.getLogger("tencentcloud_sdk_common").addFilter(Silence())


class TencentSender(SmsSender):
    """
    Sends by a template with the parameters ``params``: ``sms_code``, and ``minutes`` if it has one.

    ``templates`` names other template ids by purpose. ``endpoint`` and ``protocol`` are for tests.
    ``timeout`` is in seconds.
    """

    def __init__(
        self,
        *,
        secret_id: str,
        secret_key: str,
        sdk_app_id: str,
        sign_name: str,
        template_id: str,
        templates: Mapping[str, str] | None = None,
        params: Sequence[str] = ("sms_code",),
        region: str = "ap-guangzhou",
        endpoint: str = "sms.tencentcloudapi.com",
        protocol: str = "https",
        timeout: float = 5,
    ) -> None:
        self._sdk_app_id = sdk_app_id
        self._sign_name = sign_name
        self._template_id = template_id
        self._templates = templates or {}
        self._params = params
        http = HttpProfile(protocol=protocol, endpoint=endpoint, reqTimeout=timeout)
        self._client = SmsClient(
            Credential(secret_id, secret_key), region, ClientProfile(httpProfile=http)
        )

    @sensitive_variables()
    def send(self, message: SmsMessage) -> None:
        request = SendSmsRequest()
        request.PhoneNumberSet = [message.number]
        request.SmsSdkAppId = self._sdk_app_id
        request.SignName = self._sign_name
        request.TemplateId = self._templates.get(message.purpose, self._template_id)
        request.TemplateParamSet = [str(getattr(message, name)) for name in self._params]
        try:
            code = self._client.SendSms(request).SendStatusSet[0].Code
        except TencentCloudSDKException as error:
            failure = _failure(error.get_code(), said=str(error.get_message()))
        except Exception as error:  # an answer that is not what it should be
            failure = SmsUnavailable(
                reason=f"the SDK raised {type(error).__name__}", maybe_sent=True
            )
        else:
            if code == "Ok":
                return
            failure = _failure(code)
        # from None: what the SDK raises may hold the whole answer.
        raise failure from None


def _failure(code: Any, *, said: str = "") -> WxauthError:
    code = str(code)
    reason = f"Tencent Cloud: {code[:80]}"
    if code.startswith(LIMITED):
        return SmsRateLimited(reason=reason, retry_after=60)
    if code in BAD_NUMBER:
        return PhoneInputInvalid(reason=reason)
    if code.startswith(BUSY):
        return SmsUnavailable(reason=reason)
    if code in UNKNOWN or "." not in code:
        return SmsUnavailable(reason=reason, maybe_sent=not never_left(said))
    return SmsRefused(reason=reason)
