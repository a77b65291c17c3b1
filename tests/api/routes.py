"""The native API as a table: each route, each of its fields, and what each field may be."""

from dataclasses import dataclass, field
from urllib.parse import quote

OBJECT = '{"text": "a"}'


@dataclass(frozen=True)
class Field:
    """
    One field: the name, JSON text that passes the serializer, and how many characters it takes.

    ``takes`` names the values below that are no fault here, in JSON and in a form; ``asks`` those
    that only WeChat can tell from good ones.
    """

    good: str
    limit: int
    takes: frozenset[str] = frozenset()
    asks: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Route:
    name: str
    fields: dict[str, Field]
    method: str = "post"
    signed_in: bool = False
    base: dict[str, str] = field(default_factory=dict)  # what else a good request holds

    def json(self, name: str, raw: str | None) -> bytes:
        """Return a JSON body that is good but for this field; None leaves the field out."""
        values = {n: f for n, f in self.base.items() if n != name}
        if raw is not None:
            values[name] = raw
        pairs = ", ".join(f'"{n}": {value}' for n, value in values.items())
        return f"{{{pairs}}}".encode("utf-8", "surrogatepass")

    def form(self, name: str, raw: str | None) -> bytes:
        """Return a form that is good but for this field, whose value is already encoded."""
        values = {n: quote(f.strip('"')) for n, f in self.base.items() if n != name}
        if raw is not None:
            values[name] = raw
        return "&".join(f"{n}={value}" for n, value in values.items()).encode()


CODE = '"0a1b2c3d4e5f60718293a4b5c6d7e8f9"'
SID = '"8c7f1f2e-1c7d-4b52-9a0e-6d0f1b2c3d4e"'
DATA = IV = '"AAAAAAAAAAAAAAAAAAAAAA=="'  # sixteen zero bytes: the right shape

ABSENT = frozenset({"missing", "null"})
BLANK = frozenset({"empty", "spaces", "form: empty", "form: spaces"})
TEXT = frozenset({"digits", "word", "form: word", "form: list", "form: NaN"})  # short and printable
FORM_TEXT = frozenset(
    {
        "form: object with NUL",
        "form: object with infinity",
        "form: object with the same key twice",
        "form: object, 20 deep",
    }
)
SHORT_FORM_TEXT = FORM_TEXT - {"form: object, 20 deep"}
NUMBER = frozenset({"integer", "fraction", "huge integer", "too long integer", "infinity"})


code = Field(CODE, 512, asks=TEXT | FORM_TEXT)
phone_code = Field(CODE, 512, asks=TEXT | FORM_TEXT)
app = Field('"default"', 64, takes=ABSENT | BLANK)
ticket = Field('"t"', 512)
# Whatever a link or a QR code brings: it must not stop anybody from registering.
referrer = Field(
    '"1"',
    60_000,
    takes=ABSENT | BLANK | TEXT | FORM_TEXT | NUMBER | {"NUL", "surrogate", "emoji"},
)
scene = referrer
ADDRESS = '"https://shop.example.com/"'
OAUTH = {"app": '"native"', "code": CODE, "state": '"s"', "verifier": '"v"'}
oauth_code = Field(CODE, 512)
state = Field('"s"', 128)
encrypted_data = Field(DATA, 32 * 1024)
iv = Field(IV, 64)
raw_data = Field('"{}"', 32 * 1024, asks=TEXT | FORM_TEXT | {"emoji", "spaces", "form: spaces"})
signature = Field('"0"', 128, asks=TEXT | FORM_TEXT | {"emoji"})

PHONE, SMS_CODE, PASSWORD = '"17400000009"', '"123456"', '"correct horse battery"'
SEND = {"phone": PHONE, "purpose": '"login"'}
phone = Field(PHONE, 32)
sms_code = Field(SMS_CODE, 16)
password = Field(PASSWORD, 128)

ROUTES = [
    Route("login", {"code": code, "app": app}, base={"code": CODE}),
    Route(
        "authorize",
        {"code": code, "app": app, "referrer": referrer, "scene": scene},
        base={"code": CODE},
    ),
    Route(
        "register_simple",
        {"code": code, "app": app, "referrer": referrer, "scene": scene},
        base={"code": CODE},
    ),
    Route("register_simple", {"ticket": ticket}, base={"ticket": '"t"'}),
    Route(
        "register_complex",
        {
            "code": code,
            "app": app,
            "referrer": referrer,
            "scene": scene,
            "encryptedData": encrypted_data,
            "iv": iv,
            "rawData": raw_data,
            "signature": signature,
        },
        base={
            "code": CODE,
            "encryptedData": DATA,
            "iv": IV,
            "rawData": '"{}"',
            "signature": '"0"',
        },
    ),
    Route("check_token", {"token": Field('"t"', 4096)}),
    Route("refresh_token", {"refresh": Field('"t"', 4096)}),
    Route(
        "logout",
        {"all": Field("true", 4, takes=ABSENT | {"false", "true", "form: empty", "form: word"})},
        signed_in=True,
    ),
    Route(
        "me",
        {
            "nickname": Field('"n"', 128, takes=TEXT | BLANK | FORM_TEXT | {"missing", "emoji"}),
            "avatar_url": Field('"https://example.com/a.png"', 1024, takes=BLANK | {"missing"}),
            "gender": Field("1", 1, takes=frozenset({"missing"})),
            "ext": Field(OBJECT, 16 * 1024, takes=frozenset({"missing", "empty object", "object"})),
        },
        method="patch",
        signed_in=True,
    ),
    Route("bind_phone", {"phone_code": code}, signed_in=True, base={"phone_code": CODE}),
    Route(
        "bind_phone",
        {"encryptedData": encrypted_data, "iv": iv},
        signed_in=True,
        base={"encryptedData": DATA, "iv": IV},
    ),
    Route(
        "bind_phone",
        {"code": Field(CODE, 512, takes=ABSENT | {"form: empty"}, asks=TEXT | FORM_TEXT)},
        signed_in=True,
        base={"encryptedData": DATA, "iv": IV, "code": CODE},
    ),
    Route(
        "phone_login",
        {"code": code, "app": app, "referrer": referrer, "scene": scene, "phone_code": phone_code},
        base={"code": CODE, "phone_code": CODE},
    ),
    Route("phone_login", {"ticket": ticket}, base={"ticket": '"t"', "phone_code": CODE}),
    Route(
        "phone_login",
        {"encryptedData": encrypted_data, "iv": iv},
        base={"code": CODE, "encryptedData": DATA, "iv": IV},
    ),
    Route("unbind_phone", {}, signed_in=True),
    Route("bind_wechat", {"code": code, "app": app}, signed_in=True, base={"code": CODE}),
    Route(
        "oauth/start",
        {
            "app": Field('"native"', 64),
            "redirect_uri": Field(ADDRESS, 1024, takes=ABSENT | {"form: empty"}),
        },
        base={"app": '"native"', "redirect_uri": ADDRESS},
    ),
    Route(
        "oauth/login",
        {"code": oauth_code, "state": state, "verifier": state},
        base=OAUTH,
    ),
    Route(
        "oauth/bind",
        {"code": oauth_code, "state": state, "verifier": state},
        signed_in=True,
        base=OAUTH,
    ),
    *(
        Route(f"scan/{step}", {"scan": Field('"s"', 64)}, signed_in=True, base={"scan": '"s"'})
        for step in ("look", "confirm", "refuse")
    ),
    Route("oauth/ticket", {"ticket": Field('"t"', 128)}, base={"ticket": '"t"'}),
    Route("unbind_wechat", {"app": Field('"default"', 64)}, signed_in=True),
    Route("unbind_wechat", {"identity": Field("1", 19)}, signed_in=True),
    Route("sessions/end", {"id": Field(SID, 36)}, signed_in=True),
    Route("sessions/end_others", {}, signed_in=True),
    Route("check_session", {}, signed_in=True),
    Route("reset_session", {}, signed_in=True),
    Route("merge/plan", {"other_token": Field('"t"', 4096)}, signed_in=True),
    Route(
        "merge/confirm",
        {"other_token": Field('"t"', 4096), "merge": Field("1", 16)},
        signed_in=True,
        base={"other_token": '"t"', "merge": "1"},
    ),
    Route(
        "consent",
        {"version": Field('"2026-11"', 64, takes=TEXT | SHORT_FORM_TEXT | {"emoji"})},
        signed_in=True,
        base={"version": '"2026-11"'},
    ),
    Route(
        "consent",
        {"agreed": Field("true", 4, takes=frozenset({"missing", "true", "form: empty"}))},
        signed_in=True,
        base={"version": '"2026-11"', "agreed": "true"},
    ),
    Route(
        "delete_account",
        {"confirm": Field("true", 4, takes=frozenset({"true"}))},
        signed_in=True,
        base={"confirm": "true"},
    ),
    Route(
        "bind_phone",
        {"phone": phone, "sms_code": sms_code},
        signed_in=True,
        base={"phone": PHONE, "sms_code": SMS_CODE},
    ),
    Route("sms_code", {"phone": phone, "purpose": Field('"login"', 20), "app": app}, base=SEND),
    Route(
        "login_sms",
        {
            "phone": phone,
            "sms_code": sms_code,
            "app": app,
            "register": Field(
                "true", 5, takes=ABSENT | {"false", "true", "form: empty", "form: word"}
            ),
            "referrer": referrer,
            "scene": scene,
        },
        base={"phone": PHONE, "sms_code": SMS_CODE},
    ),
    Route(
        "login_sms",
        {"ticket": Field('"t"', 512, takes=ABSENT | {"form: empty"})},
        base={"phone": PHONE, "sms_code": SMS_CODE, "ticket": '"t"'},
    ),
    Route(
        "login_password",
        {"phone": phone, "password": password, "app": app},
        base={"phone": PHONE, "password": PASSWORD},
    ),
    Route(
        "login_password",
        {"ticket": Field('"t"', 512, takes=ABSENT | {"form: empty"})},
        base={"phone": PHONE, "password": PASSWORD, "ticket": '"t"'},
    ),
    Route("set_password", {"password": password}, signed_in=True, base={"password": PASSWORD}),
    Route(
        "set_password",
        {"sms_code": Field(SMS_CODE, 16, takes=ABSENT)},
        signed_in=True,
        base={"password": PASSWORD, "sms_code": SMS_CODE},
    ),
    Route(
        "reset_password",
        {"phone": phone, "sms_code": sms_code, "password": password},
        base={"phone": PHONE, "sms_code": SMS_CODE, "password": PASSWORD},
    ),
]

# What is sent in a field of a JSON body, as the text that stands there.
VALUES = {
    "missing": None,
    "null": "null",
    "integer": "12345",
    "fraction": "1.5",
    "huge integer": "9" * 400,
    "too long integer": "9" * 5000,
    "infinity": "1e999",
    "true": "true",
    "false": "false",
    "empty list": "[]",
    "list": '["a"]',
    "empty object": "{}",
    "object": OBJECT,
    "empty": '""',
    "spaces": '"   "',
    "NUL": '"a\\u0000b"',
    "surrogate": '"\\ud83d"',
    "raw surrogate": '"\ud83d"',
    "emoji": '"🙂"',
    "digits": '"12345"',
    "word": '"null"',
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "raw control character": '"a\nb"',
    "object with NUL": '{"a": "\\u0000"}',
    "object with surrogate": '{"\\ud83d": 1}',
    "object with infinity": '{"a": -1e999}',
    "object with huge integer": f'{{"a": {"9" * 400}}}',
    "object with the same key twice": '{"a": 1, "a": 2}',
    "list in a list, 20 deep": "[" * 20 + "]" * 20,
    "list in a list, 200 deep": "[" * 200 + "]" * 200,
    "list in a list, 800 deep": "[" * 800 + "]" * 800,
    "object in an object, 800 deep": '{"a":' * 800 + "1" + "}" * 800,
}
# The same in a form, percent-encoded already.
FORM_VALUES = {
    "missing": None,
    "form: empty": "",
    "form: spaces": "+%20+",
    "NUL": "a%00b",
    "byte FF": "%FF",
    "half a character": "a%C3",
    "surrogate in UTF-8": "%ED%A0%BD",
    "emoji": quote("🙂"),
    "digits": "12345",
    "form: word": "null",
    "form: list": quote('["a"]'),
    "form: NaN": "NaN",
    "form: object with NUL": quote('{"a": "\\u0000"}'),
    "form: object with infinity": quote('{"a": NaN}'),
    "form: object with the same key twice": quote('{"a": 1, "a": 2}'),
    "form: object, 20 deep": quote('{"a":' * 20 + "1" + "}" * 20),
}
