"""``manage.py wxauth_audit_retention --days N``: forget audit events that are older."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from wxauth.services import audit


class Command(BaseCommand):
    """Delete old events in small transactions. Safe to stop at any time, and to run from cron."""

    help = "Delete the events of the audit trail that are older than so many days."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=parse_days, required=True, help="1 or more")
        parser.add_argument("--dry-run", action="store_true", help="count them, and delete nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            before = timezone.now() - timedelta(days=options["days"])
        except OverflowError:
            raise CommandError("No event is that old.") from None
        total = audit.count_events(before=before)
        if options["dry_run"]:
            self.stdout.write(f"{total} events are older than {before:%Y-%m-%d %H:%M}.")
            return
        deleted = 0
        try:
            for number in audit.forget_events(before=before):
                deleted += number
                self.show(f"{deleted} of {max(total, deleted)}")
        except KeyboardInterrupt:
            raise CommandError(f"Stopped after {deleted} events; run it again to go on.") from None
        if deleted:
            self.show("")
        self.stdout.write(f"{deleted} events have been deleted.")

    def show(self, progress: str) -> None:
        """Write over the line, where there is somebody to see it."""
        if self.stdout.isatty():
            self.stdout.write(f"\r{progress:<40}\r", ending="")
            self.stdout.flush()


def parse_days(text: str) -> int:
    """Return the number of an option, which is 1 at least."""
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0):
        raise ArgumentTypeError("it is a number of days, 1 or more")
    return int(text[:9])
