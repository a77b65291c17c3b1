"""What a failure means to a client, whoever raised it: stable code, status, sentence, action."""

import logging
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from django.utils.translation import gettext_noop as _
from rest_framework import exceptions

from wxauth.conf import conf
from wxauth.exceptions import InvalidInput, StoreUnavailable, TokenInvalid, WxauthError

logger = logging.getLogger("wxauth.api")

# What DRF and Django raise, by class: code, status, sentence, action. First match wins.
FOREIGN: list[tuple[type[Exception] | tuple[type[Exception], ...], tuple[str, int, str, str]]] = [
    (
        exceptions.NotAuthenticated,
        ("not_authenticated", 401, _("Please sign in first."), "login_again"),
    ),
    (
        exceptions.AuthenticationFailed,
        (TokenInvalid.code, TokenInvalid.status, TokenInvalid.detail, TokenInvalid.action),
    ),
    (
        exceptions.Throttled,
        ("rate_limited", 429, _("Too many requests. Please wait a moment."), "wait"),
    ),
    (
        exceptions.MethodNotAllowed,
        ("method_not_allowed", 405, _("This method is not allowed here."), "fix_request"),
    ),
    (
        exceptions.UnsupportedMediaType,
        ("unsupported_media_type", 415, _("Send JSON or a URL-encoded form."), "fix_request"),
    ),
    (
        (exceptions.ParseError, SuspiciousOperation, UnreadablePostError),
        ("malformed_request", 400, _("The request could not be read."), "fix_request"),
    ),
    (
        (Http404, exceptions.NotFound),
        ("not_found", 404, _("There is nothing here."), "fix_request"),
    ),
    (
        (PermissionDenied, exceptions.PermissionDenied),
        ("permission_denied", 403, _("You may not do this."), "stop"),
    ),
]
FORGETFUL = {"wxauth", "rest_framework", "rest_framework_simplejwt"}  # packages
TOO_LARGE = ("body_too_large", 413, _("The request is too large."), "fix_request")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """
    ``detail`` is English, for gettext; ``facts`` is what this one failure has to say beside.

    ``retry_after`` is in seconds.
    """

    code: str
    status: int
    detail: str
    action: str
    retry_after: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def read_failure(exc: Exception) -> Failure | None:
    """Return what ``exc`` means; None for what nobody foresaw, which is a fault of ours."""
    forget_values(exc)
    if isinstance(exc, (OperationalError, InterfaceError)):
        # With its text, which names no values: a table that is missing looks like an outage too.
        logger.error("the database does not answer", exc_info=exc)
        exc = StoreUnavailable(reason="database")
    facts: dict[str, Any] = {}
    if isinstance(exc, exceptions.ValidationError):
        facts["fields"], exc = exc.detail, InvalidInput()
    if isinstance(exc, WxauthError):
        return _own(exc, facts)
    if getattr(exc, "status_code", None) == 413 or isinstance(exc, RequestDataTooBig):
        return _foreign(exc, TOO_LARGE)
    return next((_foreign(exc, row) for kinds, row in FOREIGN if isinstance(exc, kinds)), None)


def forget_values(exc: Exception) -> None:
    """
    Empty the frames of ``exc`` that are ours or DRF's; with DEBUG on, leave them as they are.

    Error reports show what the variables hold, and here that is what people have sent: codes,
    tokens, passwords. Call it when those frames have been left.
    """
    if conf.debug:
        return
    chain: list[BaseException | None] = [exc]
    seen: set[int] = set()
    while chain:
        error = chain.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        chain += [error.__cause__, error.__context__]
        for frame, _line in traceback.walk_tb(error.__traceback__):
            if frame.f_globals.get("__name__", "").partition(".")[0] in FORGETFUL:
                with suppress(RuntimeError):  # it is running still
                    frame.clear()


def _own(exc: WxauthError, facts: dict[str, Any]) -> Failure:
    logger.info("%s", exc)
    if exc.errcode is not None:
        facts["errcode"] = exc.errcode
    if exc.rid:
        facts["rid"] = exc.rid
    return Failure(
        code=exc.code,
        status=exc.status,
        detail=exc.detail,
        action=exc.action,
        retry_after=exc.retry_after,
        facts={**facts, **exc.extra()},
    )


def _foreign(exc: Exception, row: tuple[str, int, str, str]) -> Failure:
    code, status, detail, action = row
    wait = getattr(exc, "wait", None)
    return Failure(code=code, status=status, detail=detail, action=action, retry_after=wait)
