"""``manage.py wxauth_purge``: delete what ended: sessions, codes, provider tokens. For cron."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from wxauth.management.progress import Progress
from wxauth.services.limits import forget_expired
from wxauth.services.purging import count_expired, purge_provider_tokens, purge_sessions

DAYS = 30
BATCH = 2000  # rows; a transaction each


class Command(BaseCommand):
    """Delete in short transactions. It can be killed and run again, and twice at once."""

    help = (
        "Delete login sessions that expired long ago, and the SMS codes, counters and provider "
        "tokens whose time is over; run it from cron."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days", type=int, default=DAYS, help=f"how long sessions are kept ({DAYS})"
        )
        parser.add_argument(
            "--batch", type=int, default=BATCH, help=f"rows per transaction ({BATCH})"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        days, batch = options["days"], options["batch"]
        if not 0 <= days <= 36500 or not 1 <= batch <= 10_000:
            raise CommandError("--days is 0 to 36500, --batch is 1 to 10000.")
        before = timezone.now() - timedelta(days=days)
        total = count_expired(before=before) if self.stderr.isatty() else 0
        deleted = 0
        with Progress(self.stderr, total=total) as progress:
            for count in purge_sessions(before=before, batch=batch):
                deleted += count
                progress.add(count)
        forgotten = forget_expired(now=timezone.now(), batch=batch)
        tokens = purge_provider_tokens(now=timezone.now(), batch=batch)
        if options["verbosity"] > 0:
            self.stdout.write(f"Deleted {deleted} sessions that expired before {before:%Y-%m-%d}.")
            self.stdout.write(f"Deleted {forgotten} SMS codes and counters that expired.")
            self.stdout.write(f"Deleted {tokens} provider tokens that ended, or are not wanted.")
