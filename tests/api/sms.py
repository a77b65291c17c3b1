"""A person who uses the routes by a phone number."""

from typing import Any

from rest_framework.test import APIClient

from wxauth.sms.base import SmsMessage

NUMBER = "+8617400000009"
TYPED = "17400000009"
PASSWORD = "correct horse battery"
OTHER_PASSWORD = "staple battery horse"


class Line:
    """One phone line and what its owner sends."""

    def __init__(self, outbox: list[SmsMessage], number: str = TYPED) -> None:
        self.outbox = outbox
        self.number = number
        self.client = APIClient()

    def post(self, route: str, **fields: Any) -> Any:
        return self.client.post(f"/api/{route}", fields, format="json")

    def ask(self, purpose: str = "login", **fields: Any) -> Any:
        return self.post("sms_code", phone=self.number, purpose=purpose, **fields)

    def code(self, purpose: str = "login") -> str:
        """Ask for a code, and return the one that arrives."""
        answer = self.ask(purpose)
        assert answer.status_code == 200, answer.content
        return self.outbox[-1].sms_code

    def login(self, sms_code: str | None = None, **fields: Any) -> Any:
        """Sign in by a code, if need be a new one; keep and use the tokens when it works."""
        code = sms_code or self.code()
        answer = self.post("login_sms", phone=self.number, sms_code=code, **fields)
        return self._keep(answer)

    def login_password(self, password: str = PASSWORD, **fields: Any) -> Any:
        answer = self.post("login_password", phone=self.number, password=password, **fields)
        return self._keep(answer)

    def register(self) -> Any:
        answer = self.login(register=True)
        assert answer.status_code == 201, answer.content
        return answer.json()["uid"]

    def set_password(self, password: str = PASSWORD, **fields: Any) -> Any:
        return self.post("set_password", password=password, **fields)

    def _keep(self, answer: Any) -> Any:
        if answer.status_code in (200, 201):
            self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
        return answer


def wrong(sms_code: str) -> str:
    """Return another code than this one."""
    return f"{(int(sms_code) + 1) % 10**6:06}"
