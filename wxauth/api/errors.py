"""Every failure as ``{"code", "detail", "action", …}`` with its status."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from rest_framework import exceptions
from rest_framework.response import Response

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
TOO_LARGE = ("body_too_large", 413, _("The request is too large."), "fix_request")


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to ``exc``; None, so that it is raised, for what nobody foresaw."""
    if isinstance(exc, (OperationalError, InterfaceError)):
        # With its text, which names no values: a table that is missing looks like an outage too.
        logger.error("the database does not answer", exc_info=exc)
        exc = StoreUnavailable(reason="database")
    fields = None
    if isinstance(exc, exceptions.ValidationError):
        fields, exc = exc.detail, InvalidInput()
    if isinstance(exc, WxauthError):
        return _own(exc, fields)
    if getattr(exc, "status_code", None) == 413 or isinstance(exc, RequestDataTooBig):
        return _foreign(exc, *TOO_LARGE)
    for kinds, row in FOREIGN:
        if isinstance(exc, kinds):
            return _foreign(exc, *row)
    return None


def _own(exc: WxauthError, fields: Any) -> Response:
    logger.info("%s", exc)
    body: dict[str, Any] = {"code": exc.code, "detail": gettext(exc.detail), "action": exc.action}
    if exc.errcode is not None:
        body["errcode"] = exc.errcode
    if exc.rid:
        body["rid"] = exc.rid
    if fields is not None:
        body["fields"] = fields
    response = Response({**body, **exc.extra()}, status=exc.status)
    if exc.retry_after is not None:
        response["Retry-After"] = str(exc.retry_after)
    if exc.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="api"'
    return response


def _foreign(exc: Exception, code: str, status: int, detail: str, action: str) -> Response:
    body = {"code": code, "detail": gettext(detail), "action": action}
    response = Response(body, status=status)
    wait = getattr(exc, "wait", None)
    if wait is not None:
        response["Retry-After"] = str(wait)
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="api"'
    return response
