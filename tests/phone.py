"""A person with a phone: what WeChat gives to the mini program, and what our API answers it."""

import json
from typing import Any

from rest_framework.test import APIClient

from wxauth.conf import WechatApp
from wxauth.simulator import WechatSimulator


class Phone:
    """One person's phone, with one mini program open and the tokens that it has stored."""

    def __init__(self, simulator: WechatSimulator, name: str, app: WechatApp) -> None:
        self.simulator = simulator
        self.name = name
        self.app = app
        self.client = APIClient()
        self.tokens: dict[str, Any] = {}

    # WeChat's side

    def code(self) -> str:
        return self.simulator.login(self.name, self.app.app_id)

    def open_data(self, api: str = "getUserInfo") -> dict[str, str]:
        data = self.simulator.userinfo(self.name, self.app.app_id, api=api)
        return {k: data[k] for k in ("encryptedData", "iv", "rawData", "signature")}

    def phone_button(self) -> dict[str, str]:
        return self.simulator.phone(self.name, self.app.app_id)

    @property
    def openid(self) -> str:
        return self.simulator.openid(self.name, self.app.app_id)

    # Our side

    def post(self, route: str, body: Any = None, **headers: Any) -> Any:
        # json.dumps, not the client's own: that one cannot write every text a phone can send.
        text = json.dumps({} if body is None else body)
        return self.client.post(
            f"/api/{route}", text, content_type="application/json", headers=headers
        )

    def sign_in(self, route: str = "authorize", **body: Any) -> Any:
        """Sign in by this route with a fresh code; keep and use the tokens when it works."""
        fields = {"app": self.app.alias, **body}
        if not {"code", "ticket"} & set(fields):
            fields["code"] = self.code()
        response = self.post(route, fields)
        if response.status_code in (200, 201):
            self.tokens = response.json()
            self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {self.tokens['access']}")
        return response

    def ticket(self) -> str:
        response = self.sign_in("login")
        assert response.status_code == 404, response.content
        return response.json()["ticket"]

    @property
    def uid(self) -> Any:
        return self.tokens["uid"]

    def bind_phone(self) -> Any:
        return self.post("bind_phone", {"phone_code": self.phone_button()["code"]})
