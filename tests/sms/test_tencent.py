"""Tencent Cloud, through its own SDK, at an endpoint on this machine."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils.module_loading import import_string

from tests.sms.providers import CODE, SECRET, Factory, failure_of, message
from tests.wechat.raw_server import HANG, http
from wxauth.exceptions import PhoneInputInvalid, SmsRateLimited, SmsRefused, SmsUnavailable

pytestmark = [pytest.mark.static, pytest.mark.tencent]


def answer(code: str) -> bytes:
    """Return what is answered when the request was good, with what became of the message."""
    status = {"Code": code, "Message": "made up", "SerialNo": "", "PhoneNumber": "", "Fee": 0}
    body = {"Response": {"SendStatusSet": [status], "RequestId": "R"}}
    return http(json.dumps(body).encode(), headers="Content-Type: application/json\r\n")


def error(code: str) -> bytes:
    """Return what is answered when the request was not good."""
    body = {"Response": {"Error": {"Code": code, "Message": "made up"}, "RequestId": "R"}}
    return http(json.dumps(body).encode(), headers="Content-Type: application/json\r\n")


@pytest.fixture
def make() -> Factory:
    def make(endpoint: str, **options: Any) -> Any:
        # By its path: without the SDK the module cannot be imported.
        return import_string("wxauth.sms.tencent.TencentSender")(
            secret_id="made-up-id",
            secret_key=SECRET,
            sdk_app_id="1400000000",
            sign_name="签名",
            template_id="1",
            endpoint=urlsplit(endpoint).netloc or endpoint,
            protocol="http",
            timeout=0.5,
            **options,
        )

    return make


def body_of(request: bytes) -> Any:
    return json.loads(request.partition(b"\r\n\r\n")[2])


def test_message_is_taken(provider: Any, make: Factory, caplog: Any) -> None:
    server = provider(answer("Ok"))
    with caplog.at_level("DEBUG"):
        make(server.base_url).send(message())
    (request,) = server.requests
    assert body_of(request) == {
        "PhoneNumberSet": ["+8617400000009"],
        "SmsSdkAppId": "1400000000",
        "SignName": "签名",
        "TemplateId": "1",
        "TemplateParamSet": [CODE],
    }
    assert b"X-TC-Action: SendSms" in request
    for text in (CODE, SECRET, "17400000009"):
        assert text not in caplog.text


def test_template_and_its_parameters_are_chosen(provider: Any, make: Factory) -> None:
    server = provider(answer("Ok"))
    sender = make(server.base_url, templates={"bind": "2"}, params=("sms_code", "minutes"))
    sender.send(message(purpose="bind"))
    body = body_of(server.requests[0])
    assert (body["TemplateId"], body["TemplateParamSet"]) == ("2", [CODE, "5"])


MEANINGS = [
    ("LimitExceeded.PhoneNumberDailyLimit", SmsRateLimited),
    ("LimitExceeded.PhoneNumberThirtySecondLimit", SmsRateLimited),
    ("InvalidParameterValue.IncorrectPhoneNumber", PhoneInputInvalid),
    ("InternalError.Timeout", SmsUnavailable),
    ("FailedOperation.InsufficientBalanceInSmsPackage", SmsRefused),
    ("LimitExceeded.DailyLimit", SmsRefused),
]


@pytest.mark.parametrize("write", [answer, error])
@pytest.mark.parametrize(("code", "kind"), MEANINGS)
def test_refusal_has_its_meaning(
    provider: Any, make: Factory, caplog: Any, write: Any, code: str, kind: Any
) -> None:
    failure = failure_of(make(provider(write(code)).base_url), caplog)
    assert type(failure) is kind
    assert code in str(failure)
    assert not getattr(failure, "maybe_sent", False)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("AuthFailure.SecretIdNotFound", SmsRefused), ("RequestLimitExceeded", SmsUnavailable)],
)
def test_refused_request_has_its_meaning(
    provider: Any, make: Factory, caplog: Any, code: str, kind: Any
) -> None:
    assert type(failure_of(make(provider(error(code)).base_url), caplog)) is kind


def test_no_connection_is_an_outage_and_nothing_was_sent(
    make: Factory, caplog: Any, free_port: int
) -> None:
    failure = failure_of(make(f"127.0.0.1:{free_port}"), caplog)
    assert isinstance(failure, SmsUnavailable)
    assert not failure.maybe_sent


@pytest.mark.parametrize("body", [b"<html>502</html>", b"", b"[]", b"{}", b'{"Response": {}}'])
def test_nonsense_may_have_been_sent(
    provider: Any, make: Factory, caplog: Any, body: bytes
) -> None:
    failure = failure_of(make(provider(http(body)).base_url), caplog)
    assert isinstance(failure, SmsUnavailable)
    assert failure.maybe_sent


def test_silence_may_have_been_sent(provider: Any, make: Factory, caplog: Any) -> None:
    server = provider(HANG)
    failure = failure_of(make(server.base_url), caplog)
    assert isinstance(failure, SmsUnavailable)
    assert failure.maybe_sent
    assert len(server.requests) == 1, "it is not sent twice"
