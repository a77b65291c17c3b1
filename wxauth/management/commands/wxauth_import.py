"""``manage.py wxauth_import people.csv``: take over the people of another backend."""

import csv
import io
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from wxauth import transactions
from wxauth.conf import WechatApp, conf
from wxauth.exceptions import UnknownApp
from wxauth.management.progress import Progress
from wxauth.services import importing
from wxauth.services.import_rows import ColumnsInvalid, Refusal, Row, check_columns, read_rows

BATCH = 5000  # rows; a transaction each


@dataclass
class Counts:
    """How many of what, over all batches."""

    imported: int = 0
    known: int = 0
    referrals: int = 0
    refused: int = 0

    def add(self, outcome: importing.Outcome) -> None:
        self.imported += outcome.imported
        self.known += outcome.known
        self.referrals += outcome.referrals
        self.refused += len(outcome.refusals)

    def __str__(self) -> str:
        return (
            f"{self.imported} people imported, {self.known} were there already, "
            f"{self.referrals} referrals, {self.refused} refusals."
        )


class Command(BaseCommand):
    """Import in short transactions. It can be killed and run again, and twice at once."""

    help = (
        "Import people from a CSV file: openid, uid, and optionally unionid, phone, referrer, "
        "nickname, avatar_url, gender, registered_at. Run it again after an interruption: who is "
        "there already is skipped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="CSV in UTF-8 with a line of column names")
        parser.add_argument("--app", help="alias of the app whose openids these are")
        parser.add_argument(
            "--dry-run", action="store_true", help="do all of it, and undo it in the end"
        )
        parser.add_argument("--report", type=Path, help="where to write the rows that are refused")
        parser.add_argument(
            "--batch", type=int, default=BATCH, help=f"rows per transaction ({BATCH})"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["batch"] <= 20_000:
            raise CommandError("--batch is 1 to 20000.")
        try:
            app = conf.app(options["app"])
        except UnknownApp:
            raise CommandError("There is no such app in WXAUTH_APPS.") from None
        if not importing.can_import():
            raise CommandError(
                "WXAUTH_CREATE_USER makes users one by one, with keys of its own. Take it out of "
                "the settings for the import, and complete the users afterwards."
            )
        with ExitStack() as stack:
            report = self._open_report(stack, options["report"])
            if options["dry_run"]:
                using = transactions.database()
                stack.enter_context(transaction.atomic(using=using))
                stack.callback(transaction.set_rollback, True, using=using)
            counts = self._import(app, options["file"], options["batch"], report)
        if not options["dry_run"]:
            importing.reset_sequence()
        if options["verbosity"] > 0:
            self.stdout.write(f"Dry run: {counts}" if options["dry_run"] else str(counts))

    def _import(
        self, app: WechatApp, path: Path, batch: int, report: Callable[[Refusal], None]
    ) -> Counts:
        counts = Counts()

        def add(outcome: importing.Outcome) -> None:
            counts.add(outcome)
            for refusal in outcome.refusals:
                report(refusal)

        is_open = False
        for rows, refusals in self._batches(path, batch):
            outcome = importing.import_people(app=app, rows=rows)
            is_open = is_open or outcome.open_referrals > 0
            add(importing.Outcome(refusals=refusals))
            add(outcome)
        if is_open:
            for rows, _ in self._batches(path, batch):
                add(importing.import_referrals(app=app, rows=rows))
        return counts

    def _batches(self, path: Path, size: int) -> Iterator[tuple[list[Row], list[Refusal]]]:
        """Yield the rows of the file, and beside them what is wrong with others."""
        largest, read = importing.largest_uid(), 0
        try:
            with (
                path.open("rb") as file,
                io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text,
                Progress(self.stderr, total=path.stat().st_size) as progress,
            ):
                reader = csv.DictReader(text, strict=True)
                check_columns(reader.fieldnames or [])
                lines = ((reader.line_num, cells) for cells in reader)
                for batch in importing.batches(read_rows(lines, largest_uid=largest), size):
                    rows = [each for each in batch if isinstance(each, Row)]
                    yield rows, [each for each in batch if isinstance(each, Refusal)]
                    progress.add(file.tell() - read)
                    read = file.tell()
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise CommandError("The file is not in UTF-8.") from None
        except (csv.Error, ColumnsInvalid) as error:
            raise CommandError(f"The file is not the CSV that is wanted: {error}.") from None

    def _open_report(self, stack: ExitStack, path: Path | None) -> Callable[[Refusal], None]:
        if path is None:
            return self._show
        try:
            file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
        except OSError as error:
            raise CommandError(f"The report cannot be written: {error.strerror}.") from None
        writer = csv.writer(file)
        writer.writerow(["line", "uid", "reason", "sentence"])
        return lambda refusal: writer.writerow(
            [refusal.line, refusal.uid, refusal.reason, refusal.sentence]
        )

    def _show(self, refusal: Refusal) -> None:
        self.stderr.write(f"line {refusal.line}, uid {refusal.uid}: {refusal.sentence}")
