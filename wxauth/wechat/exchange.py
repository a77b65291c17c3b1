"""One question to WeChat: asked again where that is safe and helps; a refusal is an exception."""

import logging
import random
import time

from django.views.decorators.debug import sensitive_variables

from wxauth.exceptions import WechatConfigError, WechatError, WechatQuotaExceeded, WechatUnavailable
from wxauth.wechat import http
from wxauth.wechat.errcodes import Retry, find_errcode, meaning, refusal
from wxauth.wechat.types import Answer, Call

logger = logging.getLogger("wxauth.wechat")

PAUSE = 0.2  # seconds, and up to half as much again: what a busy WeChat is given


@sensitive_variables()
def ask(call: Call) -> Answer:
    """
    Return what WeChat answers, or raise the ``WechatError`` of its errcode.

    At most two requests are sent. The second one follows a "busy", which WeChat says before it
    acts, and a broken connection where the call is ``repeatable``. After a timeout there is none:
    the code may be spent, and whoever waits has waited long enough.
    """
    answer = Answer({})
    for last in (False, True):
        try:
            answer = http.send(call)
        except http.ConnectionLost:
            if last or not call.repeatable:
                raise
            continue
        try:
            errcode = find_errcode(answer)
        except WechatUnavailable as error:
            _report(error)
            raise
        if errcode == 0:
            return answer
        if last or meaning(call.path, errcode).retry is not Retry.BACKOFF:
            break
        time.sleep(PAUSE * random.uniform(1, 1.5))  # noqa: S311 spreads callers, hides nothing
    refused = refusal(call.path, answer)
    _report(refused)
    raise refused


def _report(error: WechatError) -> None:
    """Write one log record: an alarm where an operator must act."""
    if isinstance(error, WechatConfigError | WechatQuotaExceeded):
        logger.error("%s", error)
    elif error.status >= 500:
        logger.warning("%s", error)
    else:
        logger.info("%s", error)
