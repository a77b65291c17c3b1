"""To WeChat's pages and back."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.generic import View
from rest_framework.exceptions import APIException

from wxauth import handovers, oauth_states, services
from wxauth.conf import AppKind, WechatApp
from wxauth.exceptions import AuthorizationRefused, StateInvalid, UnknownApp, WxauthError
from wxauth.models import LoginSession
from wxauth.rest.failures import forget_values, read_failure
from wxauth.rest.language import language_of
from wxauth.rest.throttling import AddressThrottle, subscriber
from wxauth.web import browser
from wxauth.web.framing import break_out, is_framed, with_static
from wxauth.web.returning import login_address, return_address
from wxauth.wechat.oauth import PAGES, Scope, authorization_url

SESSION, TICKET = "session", "ticket"  # what a flow ends in
SCOPES = {"base": Scope.BASE, "userinfo": Scope.USERINFO}
TICKET_FIELD = "wxauth_ticket"
POLICY = (
    "default-src 'none'; style-src {static}; img-src {static} data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(sensitive_post_parameters(), name="dispatch")
class BrowserView(View):
    """
    A page, or a redirect, that is never cached; every failure is a page that says what to do.

    A page that is asked for inside a frame goes on in the whole window, before it does anything:
    the frame may be WeChat's, where our cookie does not come along, and a code is good only once.
    """

    throttle_group = "web"
    breaks_out = True
    kinds: Collection[AppKind] = PAGES  # of the apps with which one can start again
    begun: str | None = None  # where this way can be begun anew, once it is known which it is

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        language = language_of(request)
        with translation.override(language):
            try:
                AddressThrottle.check(subscriber(request), group=self.throttle_group)
                response = self._answer(request, *args, **kwargs)
            except (WxauthError, APIException, OperationalError, InterfaceError) as error:
                response = self.fail(request, error)
            except Exception as error:
                forget_values(error)
                raise
        response.headers.setdefault("Content-Language", language)
        add_never_cache_headers(response)
        # The address holds a code and a state, or a ticket.
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        self.protect(response)
        return response

    def protect(self, response: HttpResponseBase) -> None:
        """Say what the page may load, and who may have it in a frame, unless that is said."""
        if response.status_code != 302:  # which shows nothing
            response.headers.setdefault("Content-Security-Policy", with_static(POLICY))

    def _answer(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.breaks_out and request.method == "GET" and is_framed(request):
            return break_out(request)
        return super().dispatch(request, *args, **kwargs)

    def fail(self, request: HttpRequest, error: Exception) -> HttpResponse:
        failure = read_failure(error)
        assert failure is not None  # each of the kinds that are caught above has a meaning
        signed_in = browser.seems_signed_in(request)
        context = {
            "sentence": gettext(failure.detail),
            "code": failure.code,
            "signed_in": signed_in,
            "again": None,
            "login": None,
        }
        if failure.action == "login_again" and self.begun is None:
            context["login"] = login_address(request)
        elif failure.action != "stop":
            # Who is signed in wanted to link: a sign-in would make an account of its own.
            context["again"] = self.begun or (None if signed_in else self.start_again())
        response = render(request, "wxauth/web/error.html", context, status=failure.status)
        if failure.retry_after is not None:
            response["Retry-After"] = str(int(failure.retry_after) + 1)
        return response

    def start_again(self) -> str | None:
        """Return where to try once more, if that can help."""
        try:
            app = services.oauth_app(self.kwargs.get("alias", ""))
        except UnknownApp:
            return None
        if app.kind not in self.kinds:
            return None
        return reverse("wxauth_web:start", kwargs={"alias": app.alias})


class Start(BrowserView):
    """``start/<alias>/?next=&scope=&flow=``: off to WeChat."""

    http_method_names = ["get", "head"]
    breaks_out = False  # it shows nothing; what comes back into the frame breaks out of it

    def get(self, request: HttpRequest, alias: str) -> HttpResponse:
        facts = {"next": return_address(request, request.GET.get("next"))}
        scope = request.GET.get("scope")
        if scope in SCOPES:
            facts["scope"] = scope
        return leave(request, alias, flow=flow_of(request), facts=facts, scope=scope)


class Bind(BrowserView):
    """
    ``bind/<alias>/``: off to WeChat, to link the one who is there to the user of this browser.

    A POST with a CSRF token: nobody must be made to do this by a link.
    """

    http_method_names = ["post"]

    def post(self, request: HttpRequest, alias: str) -> HttpResponse:
        session = browser.own_session(request)
        services.require_fresh(session)  # before the way, and again after it
        address = return_address(request, request.POST.get("next"))
        facts = {"next": address, "bind": session.id.hex}
        return leave(request, alias, flow=SESSION, facts=facts, scope=None)


class Callback(BrowserView):
    """
    ``callback/<alias>/``: back from WeChat.

    It may come twice: a client opens links ahead, people press "back". Only the first one spends
    the code, and all end where that one did.
    """

    http_method_names = ["get"]  # no HEAD: its answer would be known only by spending the code

    @sensitive_variables("secret", "oauth_code")
    def get(self, request: HttpRequest, alias: str) -> HttpResponse:
        app = services.oauth_app(alias)
        secret = browser.browser_secret(request)
        if secret is None:
            raise StateInvalid(reason="the browser did not begin anything here")
        pending, flow = self._pending(request.GET.get("state", ""), secret, app)
        self.begun = self._begun(app, pending.facts, flow)
        oauth_code = request.GET.get("code")
        if not oauth_code:
            raise AuthorizationRefused(reason="WeChat sent no code")
        if oauth_states.claim(pending):
            session = self._first(request, app, pending, flow=flow, oauth_code=oauth_code)
        else:
            outcome = oauth_states.outcome(pending)
            if outcome is None:  # the first one is on its way at this moment
                return self._wait(request)
            session = self._find(outcome)
            if flow == SESSION and browser.is_somebody_else(request, session):
                raise StateInvalid(reason="used, and somebody else has signed in since")
        return self._arrive(request, pending.facts, session, flow=flow)

    @staticmethod
    def _begun(app: WechatApp, facts: dict[str, Any], flow: str) -> str:
        if "bind" in facts:  # at a form of the project; starting here would sign somebody else in
            return str(facts["next"])
        fields = {**facts, "flow": flow}
        return f"{reverse('wxauth_web:start', kwargs={'alias': app.alias})}?{urlencode(fields)}"

    def _pending(self, state: str, secret: str, app: WechatApp) -> tuple[oauth_states.Pending, str]:
        for flow in (SESSION, TICKET):
            try:
                pending = oauth_states.look(state, verifier=secret, app=app.alias, flow=flow)
            except StateInvalid as error:
                refusal = error
            else:
                return pending, flow
        raise refusal

    def _first(
        self,
        request: HttpRequest,
        app: WechatApp,
        pending: oauth_states.Pending,
        *,
        flow: str,
        oauth_code: str,
    ) -> LoginSession:
        outcome = {}
        try:
            session = self._sign_in(request, app, pending.facts, flow=flow, oauth_code=oauth_code)
            outcome = {"sid": session.id.hex}
        finally:  # whatever has gone wrong: who comes once more would wait for it
            oauth_states.finish(pending, outcome)
        return session

    def _sign_in(
        self,
        request: HttpRequest,
        app: WechatApp,
        facts: dict[str, Any],
        *,
        flow: str,
        oauth_code: str,
    ) -> LoginSession:
        device = browser.device(request, is_browser=flow == SESSION)
        owner = self._owner(request, facts)
        proof = services.confirm_oauth_code(oauth_code=oauth_code, app=app.alias)
        if owner is not None:
            services.bind_oauth(session=owner, proof=proof, device=device)
            return owner
        return services.sign_in_by_oauth(proof=proof, device=device).session

    @staticmethod
    def _owner(request: HttpRequest, facts: dict[str, Any]) -> LoginSession | None:
        """Return the session to link to, if that is wanted; it must still be this browser's."""
        if "bind" not in facts:
            return None
        session = browser.session_of(request)
        if session is None or session.id.hex != facts["bind"]:
            raise StateInvalid(reason="somebody else is signed in by now")
        return session

    @staticmethod
    def _find(outcome: dict[str, Any]) -> LoginSession:
        """Return the session in which the first one has ended."""
        if "sid" not in outcome:
            raise StateInvalid(reason="used, and it failed")
        session = services.open_session_of(sid=UUID(outcome["sid"]))
        if session is None:
            raise StateInvalid(reason="used, and the session is over")
        return session

    @staticmethod
    def _arrive(
        request: HttpRequest, facts: dict[str, Any], session: LoginSession, *, flow: str
    ) -> HttpResponse:
        address = facts["next"]
        if flow == TICKET:
            fields = urlencode({TICKET_FIELD: handovers.issue(session.id)})
            page, hash_sign, fragment = address.partition("#")
            mark = "&" if "?" in page else "?"
            return HttpResponseRedirect(f"{page}{mark}{fields}{hash_sign}{fragment}")
        here = browser.session_of(request)
        if here is None or here.id != session.id:
            if "bind" in facts:  # it links, and signs nobody in
                raise StateInvalid(reason="somebody else is signed in by now")
            browser.sign_in_browser(request, session)
        return HttpResponseRedirect(address)

    @staticmethod
    def _wait(request: HttpRequest) -> HttpResponse:
        response = render(request, "wxauth/web/wait.html", status=200)
        response["Refresh"] = "1"  # the same address once more; no script is needed
        return response


@dataclass(frozen=True, slots=True)
class Departure:
    """A browser about to leave for WeChat: what it is given, and where it comes back to."""

    app: WechatApp
    redirect_uri: str
    secret: str = field(repr=False)
    state: str = field(repr=False)


def depart(request: HttpRequest, alias: str, *, flow: str, facts: dict[str, Any]) -> Departure:
    """Return what the browser leaves with; its state is its own."""
    app = services.oauth_app(alias)
    secret = browser.browser_secret(request) or browser.new_secret()
    state = oauth_states.issue(verifier=secret, app=app.alias, flow=flow, facts=facts)
    back = request.build_absolute_uri(reverse("wxauth_web:callback", kwargs={"alias": app.alias}))
    return Departure(app=app, redirect_uri=back, secret=secret, state=state)


def leave(
    request: HttpRequest, alias: str, *, flow: str, facts: dict[str, Any], scope: str | None
) -> HttpResponse:
    """Send the browser to WeChat."""
    departure = depart(request, alias, flow=flow, facts=facts)
    address = authorization_url(
        departure.app,
        redirect_uri=departure.redirect_uri,
        state=departure.state,
        scope=SCOPES.get(scope or "") if scope else None,
        language=translation.get_language(),
    )
    response = HttpResponseRedirect(address)
    browser.remember_browser(request, response, departure.secret)
    return response


def flow_of(request: HttpRequest) -> str:
    """Return what the way is to end in."""
    return TICKET if request.GET.get("flow") == TICKET else SESSION
