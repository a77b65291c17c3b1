"""Every failure as ``{"code", "detail", "action", …}`` with its status."""

from typing import Any

from django.utils.translation import gettext
from rest_framework.response import Response

from wxauth.rest.failures import read_failure


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to ``exc``; None, so that it is raised, for what nobody foresaw."""
    failure = read_failure(exc)
    if failure is None:
        return None
    body = {"code": failure.code, "detail": gettext(failure.detail), "action": failure.action}
    response = Response({**body, **failure.facts}, status=failure.status)
    if failure.retry_after is not None:
        response["Retry-After"] = str(failure.retry_after)
    if failure.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="api"'
    return response
