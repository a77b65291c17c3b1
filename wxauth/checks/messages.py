"""How a complaint is made: ids that never change, and no value that may be secret."""

from django.core import checks
from django.core.checks import CheckMessage

TAG = "wxauth"


def error(number: int, message: str, *, hint: str) -> CheckMessage:
    return checks.Error(message, hint=hint, id=f"wxauth.E{number:03}")


def warning(number: int, message: str, *, hint: str) -> CheckMessage:
    return checks.Warning(message, hint=hint, id=f"wxauth.W{number:03}")
