"""``manage.py wxauth_delete_accounts``: carry out the deletions that are due. For cron."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from wxauth.management.progress import Progress
from wxauth.services.leaving import Outcome, carry_out, due_requests


class Command(BaseCommand):
    """One transaction per account. It can be killed and run again, and twice at once."""

    help = "Delete the accounts whose deletion is due; run it from cron."

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        pks = due_requests(now=now)
        outcomes: Counter[Outcome] = Counter()
        with Progress(self.stderr, total=len(pks)) as progress:
            for pk in pks:
                outcomes[carry_out(pk=pk, now=now)] += 1
                progress.add(1)
        if options["verbosity"] > 0:
            counts = ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in Outcome)
            self.stdout.write(f"Account deletions: {counts}.")
        if outcomes[Outcome.FAILED]:
            raise CommandError(
                f"{outcomes[Outcome.FAILED]} accounts could not be deleted. Why stands in the log"
                " and in their deletion requests; the next run tries again."
            )
