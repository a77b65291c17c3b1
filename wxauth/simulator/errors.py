"""WeChat's errcodes with the official English texts, and how an error answer reads."""

import secrets
from typing import Any

ERRMSG = {
    -1: "system error",
    0: "ok",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40013: "invalid appid",
    40014: "invalid access_token",
    40029: "invalid code",
    40030: "invalid refresh_token",
    40066: "invalid url",
    40097: "invalid args",
    40125: "invalid appsecret",
    40163: "code been used",
    40164: "invalid ip, not in whitelist",
    40226: "code blocked",
    40243: "appsecret frozen",
    41001: "access_token missing",
    41002: "appid missing",
    41003: "refresh_token missing",
    41004: "appsecret missing",
    41008: "missing code",
    41009: "missing openid",
    42001: "access_token expired",
    42002: "refresh_token expired",
    42003: "code expired",
    42007: "access_token and refresh_token exception",
    43001: "require GET method",
    43002: "require POST method",
    43003: "require https",
    44002: "empty post data",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45035: "access clientip is not registered, not in ip-white-list",
    47001: "data format error",
    48001: "api unauthorized",
    48004: "api forbidden for irregularities",
    50001: "api unauthorized or user unauthorized",
    50002: "user limited",
    50004: "user not allow to use accesstoken, maybe for punishment",
    50005: "user is unsubscribed",
    50007: "account frozen",
    61003: "component is not authorized by this account",
    61004: "access clientip is not registered",
    61005: "component ticket is expired",
    61006: "component ticket is invalid",
    61007: "api is unauthorized to component",
    61023: "refresh_token is invalid",
    61024: "must use api(api_component_token) to get token for component acct",
    63178: "appid wrong",
    87007: "session_key is not existd or expired",
    87008: "invalid sig_method",
    87009: "invalid signature",
    89002: "open not exists",
    89300: "invalid trade",
}


class SimulatorError(ValueError):
    """The simulator was asked for what it cannot do: an unknown app, fault, path or value."""


class ApiError(Exception):
    """An endpoint refuses: ``errcode`` by WeChat's global table, its text unless one is given."""

    def __init__(self, errcode: int, errmsg: str | None = None) -> None:
        self.errcode = errcode
        self.errmsg = ERRMSG.get(errcode, "error") if errmsg is None else errmsg
        super().__init__(f"{errcode} {self.errmsg}")


def new_rid() -> str:
    """Return an id like WeChat's request ids, three groups of eight hex digits."""
    return "-".join(secrets.token_hex(4) for _ in range(3))


def error_answer(error: ApiError) -> dict[str, Any]:
    """Return the body of a refusal; success has no rid."""
    if error.errcode == 0:
        return {"errcode": 0, "errmsg": error.errmsg}
    return {"errcode": error.errcode, "errmsg": f"{error.errmsg}, rid: {new_rid()}"}
