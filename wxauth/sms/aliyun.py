"""
Text messages through Alibaba Cloud, by its own SDK: the extra ``wxauth[aliyun]``.

https://help.aliyun.com/zh/sms/developer-reference/api-dysmsapi-2017-05-25-sendsms and, for the
codes, https://help.aliyun.com/zh/sms/developer-reference/api-error-codes
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

from alibabacloud_dysmsapi20170525.client import Client
from alibabacloud_dysmsapi20170525.models import SendSmsRequest
from alibabacloud_tea_openapi.models import Config
from django.views.decorators.debug import sensitive_variables

from wxauth.exceptions import (
    PhoneInputInvalid,
    SmsRateLimited,
    SmsRefused,
    SmsUnavailable,
    WxauthError,
)
from wxauth.sms.base import Silence, SmsMessage, SmsSender, never_left

LIMITED = {"isv.BUSINESS_LIMIT_CONTROL"}
BAD_NUMBER = {"isv.MOBILE_NUMBER_ILLEGAL"}
BUSY = {"isp.SYSTEM_ERROR", "ServiceUnavailable", "InternalError"}
# The SDK writes whole requests there when the environment says DEBUG=sdk: codes and signatures.
logging.getLogger("darabonba-core").addFilter(Silence())


class HideParameters(logging.Filter):
    """Takes numbers and codes out of what urllib3 says of our requests: they are in the query."""

    def filter(self, record: logging.LogRecord) -> bool:
        if "TemplateParam=" in record.getMessage():
            record.msg, record.args = "a request to the provider of text messages", ()
        return True


_hide_parameters = HideParameters()
for _name in ("connectionpool", "connection", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_hide_parameters)


class AliyunSender(SmsSender):
    """
    Sends by a template that has the parameter ``code``.

    ``templates`` names other template codes by purpose. ``endpoint`` and ``protocol`` are for
    other regions and for tests. ``timeout`` is in seconds.
    """

    def __init__(
        self,
        *,
        access_key_id: str,
        access_key_secret: str,
        sign_name: str,
        template_code: str,
        templates: Mapping[str, str] | None = None,
        endpoint: str = "dysmsapi.aliyuncs.com",
        protocol: str = "HTTPS",
        timeout: float = 5,
    ) -> None:
        self._sign_name = sign_name
        self._template_code = template_code
        self._templates = templates or {}
        milliseconds = int(timeout * 1000)
        self._client = Client(
            Config(
                access_key_id=access_key_id,
                access_key_secret=access_key_secret,
                endpoint=endpoint,
                protocol=protocol,
                connect_timeout=milliseconds,
                read_timeout=milliseconds,
            )
        )

    @sensitive_variables()
    def send(self, message: SmsMessage) -> None:
        request = SendSmsRequest(
            # In mainland China without the country, elsewhere with it and without the plus.
            phone_numbers=message.number.removeprefix("+86").removeprefix("+"),
            sign_name=self._sign_name,
            template_code=self._templates.get(message.purpose, self._template_code),
            template_param=json.dumps({"code": message.sms_code}),
        )
        try:
            code = self._client.send_sms(request).body.code
        except Exception as error:  # the SDK raises its own, those of requests, and KeyError
            failure = _failure_of(error)
        else:
            if code == "OK":
                return
            failure = _failure(code)
        # from None: the SDK's exceptions hold the whole request.
        raise failure from None


def _failure_of(error: Exception) -> WxauthError:
    code: Any = getattr(error, "code", None)
    if isinstance(code, str) and code:
        return _failure(code)
    reason = f"the SDK raised {type(error).__name__}"
    return SmsUnavailable(reason=reason, maybe_sent=not never_left(str(error)))


def _failure(code: Any) -> WxauthError:
    reason = f"Aliyun: {str(code)[:80]}"
    if not isinstance(code, str):  # an answer that is not what it should be
        return SmsUnavailable(reason=reason, maybe_sent=True)
    if code in LIMITED:
        return SmsRateLimited(reason=reason, retry_after=60)
    if code in BAD_NUMBER:
        return PhoneInputInvalid(reason=reason)
    if code in BUSY or code.startswith("Throttling"):
        return SmsUnavailable(reason=reason)
    return SmsRefused(reason=reason)
