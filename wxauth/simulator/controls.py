"""Everything a test or a phone can do with the simulated world, without a socket in sight."""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict
from typing import Any

from wxauth.simulator import access_token, followers, mini_program, oauth, push
from wxauth.simulator.errors import SimulatorError
from wxauth.simulator.faults import FaultQueue, make_fault
from wxauth.simulator.limits import Limit
from wxauth.simulator.people import Person, unionid_of
from wxauth.simulator.push import Push
from wxauth.simulator.quirks import Quirk
from wxauth.simulator.records import Call, Records
from wxauth.simulator.routing import Route
from wxauth.simulator.session_keys import Rotation
from wxauth.simulator.web_controls import WebControls
from wxauth.simulator.world import SimulatedApp, World

# A further family of endpoints is a further module with its own ROUTES.
ROUTES: dict[str, Route] = {
    **access_token.ROUTES,
    **mini_program.ROUTES,
    **oauth.ROUTES,
    **followers.ROUTES,
}


class Controls(WebControls):
    """The handles of the world. Each raises ``SimulatorError`` for what does not exist."""

    def __init__(
        self, apps: Iterable[SimulatedApp] = (), *, clock: Callable[[], float] = time.time
    ) -> None:
        self.world = World(apps, clock=clock)
        self.faults = FaultQueue()
        self.records = Records()

    def reset(self) -> None:
        """Forget people, codes, tokens, faults, records, clock; keep the apps."""
        with self.world.lock:
            self.world.reset()
            self.faults.clear()
            self.records.clear()

    @property
    def apps(self) -> list[SimulatedApp]:
        """The registered apps."""
        return list(self.world.apps.values())

    def use_apps(self, apps: Iterable[SimulatedApp]) -> None:
        """Register these apps instead."""
        self.world.use_apps(apps)

    # The phone

    def login(self, user: str, app_id: str) -> str:
        """Return a login code, as ``wx.login`` does."""
        return self.world.login(user, app_id)

    def userinfo(
        self,
        user: str,
        app_id: str,
        api: str = "getUserInfo",
        *,
        with_openid: bool | None = None,
    ) -> dict[str, str]:
        """Return ``rawData``, ``signature``, ``encryptedData``, ``iv`` under the current key."""
        return self.world.user_info(user, app_id, api=api, with_openid=with_openid)

    def phone(self, user: str, app_id: str) -> dict[str, str]:
        """Return ``code``, ``encryptedData``, ``iv``, ``purePhoneNumber``: the phone button."""
        return self.world.phone(user, app_id)

    def pay(self, user: str, app_id: str) -> dict[str, str]:
        """Pay; return ``transaction_id``, ``mch_id``, ``out_trade_no``."""
        payment = asdict(self.world.pay(user, app_id))
        return {name: payment[name] for name in ("transaction_id", "mch_id", "out_trade_no")}

    def encrypt_key(self, user: str, app_id: str) -> dict[str, Any]:
        """Return what ``wx.getUserCryptoManager().getLatestUserKey`` gives."""
        with self.world.lock:
            self.world.openid(user, app_id)
            return self.world.encrypt_keys.as_client_sees((user, app_id), now=self.world.now())

    # Message push

    def make_push(
        self,
        user: str,
        app_id: str,
        event: str,
        *,
        revoke_info: str = "",
        form: str = "xml",
        **changes: str,
    ) -> Push:
        """Return the push that tells the app of this event; ``changes`` are fields of it."""
        openid, app, at = self.openid(user, app_id), self.world.app(app_id), int(self.now())
        fields = push.event_fields(app, openid, event, at=at, revoke_info=revoke_info)
        return push.make_push(app, {**fields, **changes}, form=form, at=at)

    def push(
        self,
        user: str,
        app_id: str,
        event: str,
        *,
        url: str,
        revoke_info: str = "",
        form: str = "xml",
    ) -> tuple[int, str]:
        """Post the event to ``url``, on this machine; return status and text of the answer."""
        if event not in push.EVENTS:
            raise SimulatorError(f"no event {event!r}; there are: {', '.join(push.EVENTS)}")
        made = self.make_push(user, app_id, event, revoke_info=revoke_info, form=form)
        return push.send(made, url)

    # Who is who

    def user(self, user: str) -> Person:
        """Return the person, whose fields may be set."""
        return self.world.person(user)

    def openid(self, user: str, app_id: str) -> str:
        """Return the openid, the same in every run."""
        return self.world.openid(user, app_id)

    def unionid(self, user: str, scope: str = "default") -> str:
        """Return the unionid in this union scope, hidden or not."""
        return unionid_of(self.world.person(user).name, scope)

    # Keys and tokens

    def session_key(self, user: str, app_id: str) -> str:
        """Return the current session_key."""
        with self.world.lock:
            self.world.openid(user, app_id)
            return self.world.session_keys.current((user, app_id))

    def expire_session_key(self, user: str, app_id: str) -> None:
        """Let the session_key end without a successor: 87007 until the next login."""
        with self.world.lock:
            self.world.openid(user, app_id)
            self.world.session_keys.forget((user, app_id))

    @property
    def session_key_rotation(self) -> str:
        """When a login code brings a new session_key: "always" (at first), "never", "random"."""
        return self.world.session_keys.rotation

    @session_key_rotation.setter
    def session_key_rotation(self, mode: str) -> None:
        if mode not in list(Rotation):
            raise SimulatorError(f"no rotation {mode!r}; there are: {', '.join(Rotation)}")
        self.world.session_keys.rotation = Rotation(mode)

    def access_token(self, app_id: str) -> str:
        """Return the app's stable access_token."""
        with self.world.lock:
            app = self.world.app(app_id)
            return self.world.tokens.issue_stable(app.app_id, now=self.world.now()).value

    def revoke_access_tokens(self, app_id: str) -> None:
        """End all access tokens of the app: they answer 40001 from now on."""
        with self.world.lock:
            self.world.tokens.revoke(self.world.app(app_id).app_id, now=self.world.now())

    def component_access_token(self, component_app_id: str, app_ids: Collection[str]) -> str:
        """Let a third-party platform act for these apps; return its token, good for two hours."""
        with self.world.lock:
            self.world.component_apps[component_app_id] = {
                self.world.app(app_id).app_id for app_id in app_ids
            }
            now = self.world.now()
            return self.world.component_tokens.issue_plain(component_app_id, now=now).value

    def allow_addresses(self, app_id: str, addresses: Collection[str] | None) -> None:
        """Set the app's IP whitelist (token endpoints answer 40164 to others); None: none."""
        self.world.allow_addresses(app_id, addresses)

    # Clock, faults, limits, quirks

    def now(self) -> float:
        """Return the simulator's time in Unix seconds."""
        return self.world.now()

    def advance(self, seconds: float) -> None:
        """Move the simulator's clock."""
        self.world.advance(seconds)

    def fail(
        self,
        path: str,
        *,
        errcode: int | None = None,
        fault: str | None = None,
        times: int | None = 1,
        delay: float = 0.0,
        errmsg: str | None = None,
    ) -> None:
        """
        Let the next ``times`` calls of ``path`` fail; None: all, until ``clear_faults``.

        By ``errcode``, or by a ``fault`` of ``TransportFault`` or ``Quirk``, or merely late:
        ``delay`` in seconds comes between the processing and the answer.
        """
        self._known_path(path)
        made = make_fault(errcode=errcode, errmsg=errmsg, fault=fault, delay=delay)
        with self.world.lock:
            self.faults.add(path, made, times=times)

    def clear_faults(self) -> None:
        """Let everything work again; quirks and limits stay."""
        with self.world.lock:
            self.faults.clear()

    def limit(
        self,
        path: str,
        *,
        per_minute: int | None = None,
        per_day: int | None = None,
        per_person_minute: int | None = None,
    ) -> None:
        """Replace the limits of ``path``; what is not named is without limit."""
        self._known_path(path)
        with self.world.lock:
            self.world.counters.limits[path] = Limit(
                per_minute=per_minute, per_day=per_day, per_person_minute=per_person_minute
            )

    def lift_limits(self) -> None:
        """Let everybody call as often as they like, as load tests must."""
        with self.world.lock:
            self.world.counters.limits.clear()

    @property
    def quirks(self) -> frozenset[str]:
        """The oddities that all answers have."""
        return self.world.quirks

    @quirks.setter
    def quirks(self, names: Collection[str]) -> None:
        unknown = sorted(set(names) - set(Quirk))
        if unknown:
            known = ", ".join(Quirk)
            raise SimulatorError(f"no quirk {', '.join(unknown)}; there are: {known}")
        self.world.quirks = frozenset(Quirk(name) for name in names)

    # What was asked

    @property
    def requests(self) -> list[Call]:
        """The recorded API calls, oldest first, at most the last 10 000."""
        with self.world.lock:
            return self.records.calls

    def calls(self, path: str) -> list[Call]:
        """Return the recorded calls of one path."""
        return [call for call in self.requests if call.path == path]

    @property
    def connections(self) -> int:
        """The number of TCP connections on which API calls have come in since the last reset."""
        with self.world.lock:
            return self.records.connections

    def _known_path(self, path: str) -> None:
        if path not in ROUTES:
            raise SimulatorError(f"no path {path!r}; there are: {', '.join(ROUTES)}")
