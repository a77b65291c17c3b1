"""``manage.py wxauth_merge``: plan, do and undo the merge of two users, as the operator."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from wxauth import services
from wxauth.conf import HostUser
from wxauth.exceptions import WxauthError
from wxauth.models import Merge

TENTHS = 10


class Command(BaseCommand):
    """Without ``--yes`` nothing is changed."""

    help = (
        "Merge the user LOSER into the user WINNER. Shows the plan; with --yes does it, in one "
        "transaction. Run it again when it was killed: either nothing has happened or it is done."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("users", nargs="*", metavar="WINNER LOSER", help="two primary keys")
        parser.add_argument("--yes", action="store_true", help="do it")
        parser.add_argument("--undo", type=int, metavar="ID", help="undo the merge with this id")
        parser.add_argument(
            "--late",
            action="store_true",
            help="move the rows that have come to merged users of the last 30 days since",
        )
        parser.add_argument(
            "--forget",
            action="store_true",
            help="delete what it takes to undo merges of more than 30 days ago",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = [bool(options["users"]), options["undo"] is not None]
        chosen += [options["late"], options["forget"]]
        if sum(chosen) != 1 or len(options["users"]) not in (0, 2):
            raise CommandError("Give WINNER and LOSER, or --undo ID, --late or --forget.")
        try:
            if options["forget"]:
                self.stdout.write(f"{services.forget_merges()} steps deleted.")
            elif options["late"]:
                self.stdout.write(f"{services.collect_late_rows()} rows moved.")
            elif options["undo"] is not None:
                self.undo(options["undo"], sure=options["yes"])
            else:
                winner, loser = map(find_user, options["users"])
                self.merge(winner, loser, sure=options["yes"])
        except WxauthError as error:
            raise CommandError(str(error)) from error

    def merge(self, winner: HostUser, loser: HostUser, *, sure: bool) -> None:
        merge = find_killed(winner, loser)
        if merge is not None:
            self.stdout.write(f"Merge {merge.pk} was confirmed and did not end.")
        if not sure:
            self.show(services.plan_merge(winner=winner, loser=loser) if merge is None else merge)
            self.stdout.write("Nothing has been changed. Add --yes to do it.")
            return
        merge = merge or services.propose_merge(winner=winner, loser=loser)
        self.show(merge)
        lines = merge.plan.get("lines", [])
        bar = Bar(self, sum(line["moves"] + line["stays"] for line in lines if line["moves"]))
        services.run_merge(merge=merge, progress=bar.add)
        bar.end()
        self.stdout.write(f"Merge {merge.pk} is done. Undo it with --undo {merge.pk} --yes.")

    def undo(self, merge_id: int, *, sure: bool) -> None:
        merge = Merge.objects.filter(pk=merge_id).first()
        if merge is None or not merge.can_be_undone(timezone.now()):
            raise CommandError(f"There is no merge {merge_id} that could be undone.")
        self.show(merge)
        if not sure:
            self.stdout.write("Nothing has been changed. Add --yes to undo it.")
            return
        services.undo_merge(merge=merge)
        self.stdout.write(f"Merge {merge.pk} is undone.")

    def show(self, plan: Merge | services.MergePlan) -> None:
        """Write one line for each field that has rows."""
        winner, loser = plan.winner, plan.loser
        self.stdout.write(f"User {_key(loser)} goes, user {_key(winner)} stays.")
        lines = plan.plan if isinstance(plan, Merge) else plan.as_json()
        for line in lines.get("lines", []):
            text = f"  {line['model']}.{line['field']}: {line['moves']} move"
            if line["stays"] or line["why"]:
                text += f", {line['stays']} stay. {line['why']}"
            self.stdout.write(text)


class Bar:
    """How far it is: on one line of a terminal, else a line for each tenth."""

    def __init__(self, command: BaseCommand, total: int) -> None:
        self.out = command.stdout
        self.total = max(total, 1)
        self.done = self.tenth = 0
        self.is_terminal = self.out.isatty()

    def add(self, rows: int) -> None:
        self.done += rows
        percent = min(self.done * 100 // self.total, 100)
        if self.is_terminal:
            filled = "#" * (percent // 4)
            self.out.write(f"\r[{filled:<25}] {percent:3d} % {self.done} rows", ending="")
            self.out.flush()
        elif percent * TENTHS // 100 > self.tenth:
            self.tenth = percent * TENTHS // 100
            self.out.write(f"{percent} %, {self.done} rows")
            self.out.flush()

    def end(self) -> None:
        if self.is_terminal:
            self.out.write("")


def find_user(text: str) -> HostUser:
    """Return the user with this primary key, or raise ``CommandError``."""
    model = get_user_model()
    try:
        user = model._base_manager.filter(pk=model._meta.pk.to_python(text)).first()
    except (ValidationError, ValueError, OverflowError):
        user = None
    if user is None:
        raise CommandError(f"There is no user {text!r}.")
    return user


def find_killed(winner: HostUser, loser: HostUser) -> Merge | None:
    """Return the merge of these two that was confirmed and never ended."""
    state = Merge.State.CONFIRMED
    return Merge.objects.filter(winner=winner, loser=loser, state=state).first()


def _key(user: HostUser | None) -> str:
    return "(gone)" if user is None else str(user.pk)
