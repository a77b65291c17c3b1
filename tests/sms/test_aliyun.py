"""Alibaba Cloud, through its own SDK, at an endpoint on this machine."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils.module_loading import import_string

from tests.sms.providers import CODE, SECRET, Factory, failure_of, message
from tests.wechat.raw_server import HANG, http
from wxauth.exceptions import PhoneInputInvalid, SmsRateLimited, SmsRefused, SmsUnavailable

pytestmark = [pytest.mark.static, pytest.mark.aliyun]


def answer(code: str, status: str = "200 OK") -> bytes:
    body = {"Code": code, "Message": "made up", "RequestId": "R", "BizId": "B"}
    return http(
        json.dumps(body).encode(), status=status, headers="Content-Type: application/json\r\n"
    )


@pytest.fixture
def make(provider: Any) -> Factory:
    def make(endpoint: str, **options: Any) -> Any:
        # By its path: without the SDK the module cannot be imported.
        return import_string("wxauth.sms.aliyun.AliyunSender")(
            access_key_id="made-up-id",
            access_key_secret=SECRET,
            sign_name="签名",
            template_code="SMS_1",
            endpoint=urlsplit(endpoint).netloc or endpoint,
            protocol="HTTP",
            timeout=0.5,
            **options,
        )

    return make


def query(request: bytes) -> dict[str, str]:
    path = request.decode().split(" ")[1]
    return {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}


def test_message_is_taken(provider: Any, make: Factory, caplog: Any) -> None:
    server = provider(answer("OK"))
    with caplog.at_level("DEBUG"):
        make(server.base_url).send(message())
    (request,) = server.requests
    fields = query(request)
    assert fields["PhoneNumbers"] == "17400000009"
    assert (fields["SignName"], fields["TemplateCode"]) == ("签名", "SMS_1")
    assert json.loads(fields["TemplateParam"]) == {"code": CODE}
    assert b"SendSms" in request
    for text in (CODE, SECRET, "17400000009"):
        assert text not in caplog.text


def test_code_of_a_debugging_sdk_is_not_written(
    provider: Any, make: Factory, caplog: Any, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setenv("DEBUG", "sdk")
    server = provider(answer("OK"))
    with caplog.at_level("DEBUG"):
        make(server.base_url).send(message())
    assert CODE not in caplog.text + "".join(capfd.readouterr())


def test_number_of_another_country_keeps_its_country(provider: Any, make: Factory) -> None:
    server = provider(answer("OK"))
    make(server.base_url).send(message(number="+85251234567"))
    assert query(server.requests[0])["PhoneNumbers"] == "85251234567"


def test_template_is_chosen_by_purpose(provider: Any, make: Factory) -> None:
    server = provider(answer("OK"))
    make(server.base_url, templates={"bind": "SMS_2"}).send(message(purpose="bind"))
    assert query(server.requests[0])["TemplateCode"] == "SMS_2"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("isv.BUSINESS_LIMIT_CONTROL", SmsRateLimited),
        ("isv.MOBILE_NUMBER_ILLEGAL", PhoneInputInvalid),
        ("isp.SYSTEM_ERROR", SmsUnavailable),
        ("isv.AMOUNT_NOT_ENOUGH", SmsRefused),
        ("isv.SMS_TEMPLATE_ILLEGAL", SmsRefused),
        ("isv.DAY_LIMIT_CONTROL", SmsRefused),
    ],
)
def test_refusal_has_its_meaning(
    provider: Any, make: Factory, caplog: Any, code: str, error: Any
) -> None:
    failure = failure_of(make(provider(answer(code)).base_url), caplog)
    assert type(failure) is error
    assert code in str(failure)
    assert not getattr(failure, "maybe_sent", False)


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("InvalidAccessKeyId.NotFound", "404 Not Found", SmsRefused),
        ("SignatureDoesNotMatch", "400 Bad Request", SmsRefused),
        ("Throttling.User", "400 Bad Request", SmsUnavailable),
        ("ServiceUnavailable", "503 Service Unavailable", SmsUnavailable),
    ],
)
def test_status_of_an_error_has_the_meaning_of_its_code(
    provider: Any, make: Factory, caplog: Any, code: str, status: str, error: Any
) -> None:
    failure = failure_of(make(provider(answer(code, status)).base_url), caplog)
    assert type(failure) is error


def test_no_connection_is_an_outage_and_nothing_was_sent(
    make: Factory, caplog: Any, free_port: int
) -> None:
    failure = failure_of(make(f"127.0.0.1:{free_port}"), caplog)
    assert isinstance(failure, SmsUnavailable)
    assert not failure.maybe_sent


@pytest.mark.parametrize("body", [b"<html>502</html>", b"", b"[]", b"{}"])
def test_nonsense_may_have_been_sent(
    provider: Any, make: Factory, caplog: Any, body: bytes
) -> None:
    failure = failure_of(make(provider(http(body, status="502 Bad Gateway")).base_url), caplog)
    assert failure.status in (502, 503)


def test_silence_may_have_been_sent(provider: Any, make: Factory, caplog: Any) -> None:
    server = provider(HANG)
    failure = failure_of(make(server.base_url), caplog)
    assert isinstance(failure, SmsUnavailable)
    assert failure.maybe_sent
    assert len(server.requests) == 1, "it is not sent twice"
