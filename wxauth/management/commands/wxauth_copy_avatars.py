"""``manage.py wxauth_copy_avatars``: copy people's pictures from WeChat's hosts. For cron."""

from argparse import ArgumentParser
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError

from wxauth.conf import conf
from wxauth.services import copy_avatar, pending_avatars

LIMIT = 1000


class Command(BaseCommand):
    """Each picture for itself. It can be killed and run again, and twice at once."""

    help = (
        "Copy people's pictures from WeChat's hosts into the project's storage, since their "
        "addresses die; run it from cron."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--limit", type=int, default=LIMIT, help=f"pictures that are tried at most ({LIMIT})"
        )
        parser.add_argument(
            "--base-url",
            default="",
            help="begins the addresses of a storage that has only paths: https://shop.example.com",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        limit, base_url = options["limit"], options["base_url"]
        if limit < 1:
            raise CommandError("--limit is 1 or more.")
        if not conf.avatar_hosts:  # no fault: the line may stand in everybody's crontab
            if options["verbosity"] > 0:
                self.stdout.write("WXAUTH_AVATAR_HOSTS names no host, so nothing is copied.")
            return
        if not _is_absolute(base_url or default_storage.url("name")):
            raise CommandError(
                "The storage's addresses have no host: give --base-url https://shop.example.com"
            )
        # Read to its end first: what is copied falls out of the pages that follow.
        users = list(pending_avatars(limit=limit))
        done = Counter(copy_avatar(user=user, base_url=base_url) for user in users)
        if options["verbosity"] > 0:
            for outcome, count in sorted(done.items()):
                self.stdout.write(f"{outcome}: {count}")


def _is_absolute(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in {"http", "https"} and bool(parts.netloc)
