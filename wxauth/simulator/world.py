"""
The world that the simulator simulates: a clock, apps, people, codes, keys and tokens.

No sockets and no HTTP. One lock around everything; endpoints run with it held.
"""

import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol, Self

from wxauth.crypto import raw_data_signature
from wxauth.simulator.avatars import Avatars
from wxauth.simulator.codes import LIFETIME, OPEN_PLATFORM_LIFETIME, Code, CodeKind, Codes
from wxauth.simulator.errors import SimulatorError
from wxauth.simulator.grants import Grants
from wxauth.simulator.limits import Counters
from wxauth.simulator.open_data import MadeData, encrypt_open_data
from wxauth.simulator.people import Person, openid_of, phone_number_of, unionid_of
from wxauth.simulator.quirks import Quirk, apply_quirks, dump_json
from wxauth.simulator.session_keys import EncryptKeys, SessionKeys
from wxauth.simulator.tokens import AccessTokens

MINI_PROGRAM = "mini_program"
OFFICIAL_ACCOUNT, WEBSITE, MOBILE = "official_account", "website", "mobile"
KINDS = (MINI_PROGRAM, OFFICIAL_ACCOUNT, WEBSITE, MOBILE)
OPEN_PLATFORM = (WEBSITE, MOBILE)
BASE, USERINFO, LOGIN = "snsapi_base", "snsapi_userinfo", "snsapi_login"
SCOPES = {OFFICIAL_ACCOUNT: (BASE, USERINFO), WEBSITE: (LOGIN,), MOBILE: (USERINFO,)}
PAYMENT_LIFETIME = 300  # seconds
NAME_LENGTH = 200  # characters
USER_INFO_APIS = ("getUserInfo", "getUserProfile")


class RegisteredApp(Protocol):
    """An app as the settings have it; the simulator does not know the settings."""

    @property
    def app_id(self) -> str: ...
    @property
    def app_secret(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def union_scope(self) -> str: ...
    @property
    def push_token(self) -> str: ...
    @property
    def push_aes_key(self) -> str: ...


@dataclass(frozen=True, slots=True)
class SimulatedApp:
    """An app that the simulated WeChat has registered. ``union_scope`` None: bound to none."""

    app_id: str
    app_secret: str = field(repr=False)
    kind: str = MINI_PROGRAM
    union_scope: str | None = None
    push_token: str = field(default="", repr=False)
    push_aes_key: str = field(default="", repr=False)
    callback_domain: str | None = None  # without scheme and port; None: any loopback address

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SimulatorError(f"no kind {self.kind!r}; there are: {', '.join(KINDS)}")
        if not self.app_id or not self.app_secret:
            raise SimulatorError("an app needs an app_id and an app_secret")

    @classmethod
    def like(cls, app: RegisteredApp) -> Self:
        """Return the simulation of an app that the settings name."""
        return cls(
            app.app_id,
            app.app_secret,
            app.kind,
            app.union_scope,
            app.push_token,
            app.push_aes_key,
        )


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment made to the app, which makes the unionid readable for five minutes."""

    owner: tuple[str, str]
    mch_id: str
    out_trade_no: str
    transaction_id: str
    paid_at: float


class World:
    """Everything WeChat remembers. Unknown people spring into being; unknown apps do not."""

    def __init__(
        self, apps: Iterable[SimulatedApp], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self.lock = threading.RLock()
        self.apps: dict[str, SimulatedApp] = {}
        self.use_apps(apps)
        self.reset()

    def reset(self) -> None:
        """Forget everything but the apps."""
        with self.lock:
            self._offset = 0.0
            self._people: dict[str, Person] = {}
            self._numbers: set[str] = set()
            self._names: dict[tuple[str, str], str] = {}
            self.codes = Codes()
            self.session_keys = SessionKeys()
            self.encrypt_keys = EncryptKeys()
            self.tokens = AccessTokens()
            self.component_tokens = AccessTokens()
            self.grants = Grants()
            self.approver: str | None = None  # who allows what pages ask for, without being asked
            self.desktop: str | None = None  # who is signed in to WeChat on the computer
            self.following: dict[tuple[str, str], float] = {}  # (person, app id): since when
            self.avatars = Avatars()
            self.component_apps: dict[str, set[str]] = {}
            self.counters = Counters()
            self.made_data = MadeData()
            self._payments: list[Payment] = []
            self.allowed_addresses: dict[str, frozenset[str]] = {}
            self.quirks: frozenset[Quirk] = frozenset()

    def use_apps(self, apps: Iterable[SimulatedApp]) -> None:
        """Replace the registered apps."""
        by_id: dict[str, SimulatedApp] = {}
        for app in apps:
            if by_id.setdefault(app.app_id, app) != app:
                raise SimulatorError(f"the app {app.app_id} is given twice, with differences")
        with self.lock:
            self.apps = by_id

    def now(self) -> float:
        """Return Unix seconds: the clock, the machine's by default, and what was added."""
        return self._clock() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        with self.lock:
            self._offset += seconds

    # Who is who

    def app(self, app_id: str) -> SimulatedApp:
        """Return the app, or raise ``SimulatorError``."""
        app = self.apps.get(app_id)
        if app is None:
            raise SimulatorError(f"the simulator has no app {app_id!r}")
        return app

    def person(self, name: str) -> Person:
        """Return the person of this name, who may be new."""
        if not 0 < len(name) <= NAME_LENGTH:
            raise SimulatorError(f"a person's name has 1 to {NAME_LENGTH} characters")
        with self.lock:
            person = self._people.get(name)
            if person is None:
                attempt = 0
                while (number := phone_number_of(name, attempt=attempt)) in self._numbers:
                    attempt += 1
                self._numbers.add(number)
                person = self._people[name] = Person(name=name, phone_number=number)
            return person

    def openid(self, name: str, app_id: str) -> str:
        """Return the person's openid in the app, and let the app know the person."""
        self.app(app_id)
        self.person(name)
        openid = openid_of(name, app_id)
        with self.lock:
            self._names[app_id, openid] = name
        return openid

    def find_name(self, app_id: str, openid: str) -> str | None:
        """Return whose openid it is in this app, or None."""
        return self._names.get((app_id, openid))

    def unionid(self, name: str, app_id: str) -> str | None:
        """Return what the app is told: None when bound to no scope, or kept from seeing it."""
        scope = self.app(app_id).union_scope
        if scope is None or self.person(name).hides_unionid_from(app_id):
            return None
        return unionid_of(name, scope)

    # What the phone does

    def login(self, name: str, app_id: str) -> str:
        """Press ``wx.login``: return a code. This, not its exchange, may renew the session_key."""
        with self.lock:
            self._must_be_mini_program(app_id)
            self.openid(name, app_id)
            session_key = self.session_keys.at_login((name, app_id))
            return self.codes.issue(
                Code(CodeKind.LOGIN, app_id, name, self.now(), session_key=session_key)
            )

    def user_info(
        self, name: str, app_id: str, *, api: str, with_openid: bool | None = None
    ) -> dict[str, str]:
        """
        Return what ``wx.getUserInfo`` or ``wx.getUserProfile`` gives, under the current key.

        Only getUserInfo's encryptedData holds the openId, and the unionId if there is one; unless
        ``with_openid`` says otherwise.
        """
        if api not in USER_INFO_APIS:
            raise SimulatorError(f"no api {api!r}; there are: {', '.join(USER_INFO_APIS)}")
        with self.lock:
            self._must_be_mini_program(app_id)
            openid, unionid = self.openid(name, app_id), self.unionid(name, app_id)
            session_key = self.session_keys.current((name, app_id))
            profile = apply_quirks(self.person(name).profile(), self.quirks)
            ids: dict[str, str] = {}
            if with_openid or (with_openid is None and api == "getUserInfo"):
                ids = {"openId": openid} | ({"unionId": unionid} if unionid else {})
            secret = apply_quirks(
                {**ids, **profile, "watermark": self._watermark(app_id)},
                self.quirks & {Quirk.MISSING_UNIONID},
            )
        raw_data = dump_json(profile, self.quirks)
        return {
            "rawData": raw_data,
            "signature": raw_data_signature(raw_data, session_key),
            **encrypt_open_data(secret, session_key=session_key),
        }

    def phone(self, name: str, app_id: str) -> dict[str, str]:
        """Press the phone button: return a phone code and the data that older clients send."""
        with self.lock:
            self._must_be_mini_program(app_id)
            person = self.person(name)
            if not person.phone_number:
                raise SimulatorError(f"{name!r} has no phone number")
            self.openid(name, app_id)
            session_key = self.session_keys.current((name, app_id))
            info = {**person.phone(), "watermark": self._watermark(app_id)}
            encrypted = encrypt_open_data(info, session_key=session_key)
            self.made_data.add(app_id, encrypted["encryptedData"], now=self.now())
            code = self.codes.issue(Code(CodeKind.PHONE, app_id, name, self.now(), phone_info=info))
            return {"code": code, **encrypted, "purePhoneNumber": person.phone_number}

    def authorize(
        self, name: str, app_id: str, *, scope: str | None = None, is_snapshot: bool = False
    ) -> str:
        """Let the person authorise the app; return the code. ``scope`` None: the usual one."""
        app = self.app(app_id)
        allowed = SCOPES.get(app.kind, ())
        if not allowed:
            raise SimulatorError(f"{app_id} is a mini program: nobody authorises it on a page")
        if scope is not None and scope not in allowed:
            raise SimulatorError(f"{app_id} has no scope {scope!r}; it has: {', '.join(allowed)}")
        if is_snapshot and app.kind != OFFICIAL_ACCOUNT:
            raise SimulatorError(f"{app_id} is no official account: there are no snapshots of it")
        with self.lock:
            self.openid(name, app_id)
            return self.codes.issue(
                Code(
                    CodeKind.OAUTH,
                    app_id,
                    name,
                    self.now(),
                    scope=scope or allowed[-1],
                    is_snapshot=is_snapshot,
                    lifetime=(LIFETIME if app.kind == OFFICIAL_ACCOUNT else OPEN_PLATFORM_LIFETIME),
                )
            )

    def pay(self, name: str, app_id: str) -> Payment:
        """Pay something to the app."""
        with self.lock:
            self.openid(name, app_id)
            payment = Payment(
                owner=(name, app_id),
                mch_id="1900000000",
                out_trade_no=secrets.token_hex(16),
                transaction_id="42" + f"{secrets.randbelow(10**26):026d}",
                paid_at=self.now(),
            )
            self._payments = [*self.recent_payments(), payment]
            return payment

    def recent_payments(self) -> list[Payment]:
        """Return the payments that still make a unionid readable."""
        since = self.now() - PAYMENT_LIFETIME
        return [payment for payment in self._payments if payment.paid_at >= since]

    def allow_addresses(self, app_id: str, addresses: Collection[str] | None) -> None:
        """Set the app's IP whitelist, which guards its access tokens; None: no whitelist."""
        self.app(app_id)
        with self.lock:
            if addresses is None:
                self.allowed_addresses.pop(app_id, None)
            else:
                self.allowed_addresses[app_id] = frozenset(addresses)

    def _must_be_mini_program(self, app_id: str) -> None:
        if self.app(app_id).kind != MINI_PROGRAM:
            raise SimulatorError(f"{app_id} is no mini program")

    def _watermark(self, app_id: str) -> dict[str, object]:
        return {"timestamp": int(self.now()), "appid": app_id}
