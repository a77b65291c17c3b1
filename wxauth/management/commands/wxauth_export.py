"""``manage.py wxauth_export UID``: all that is stored about one user, as JSON."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from wxauth.conf import HostUser
from wxauth.services.exporting import export


class Command(BaseCommand):
    """Write what the route ``export`` answers to the user's own phone."""

    help = "Write everything that is stored about a user as one JSON document."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("uid", help="primary key of the user")

    def handle(self, *args: Any, **options: Any) -> None:
        for piece in export(user=find_user(options["uid"]), by="command"):
            self.stdout.write(piece, ending="")


def find_user(uid: str) -> HostUser:
    """Return the user with this key, or raise ``CommandError``."""
    model = get_user_model()
    try:
        user = model._base_manager.filter(pk=uid).first()
    except (ValidationError, ValueError, OverflowError):
        user = None
    if user is None:
        raise CommandError(f"There is no user {uid!r}.")
    return user
