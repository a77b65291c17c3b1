"""Two users who turned out to be one person: what was decided, done, and can be undone."""

from datetime import datetime, timedelta

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wxauth.conf import conf
from wxauth.managers import MergeManager
from wxauth.models.audit import USER_KEY_LENGTH

UNDO_PERIOD = timedelta(days=30)


class Merge(models.Model):
    """
    The rows of ``loser`` go to ``winner``. The keys stay when the users are gone.

    ``confirmed`` is a merge that runs, or was killed while it ran: then nothing of it happened,
    and the next run of the same merge finishes it.
    """

    class State(models.TextChoices):
        PLANNED = "planned", _("planned")
        CONFIRMED = "confirmed", _("confirmed")
        DONE = "done", _("done")
        UNDONE = "undone", _("undone")

    winner = models.ForeignKey(
        conf.user_model,
        verbose_name=_("user who stays"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="wxauth_merges_won",
    )
    winner_key = models.CharField(_("uid who stays"), max_length=USER_KEY_LENGTH)
    loser = models.ForeignKey(
        conf.user_model,
        verbose_name=_("user who is merged"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="wxauth_merges_lost",
    )
    loser_key = models.CharField(_("uid who is merged"), max_length=USER_KEY_LENGTH)
    state = models.CharField(
        _("state"), max_length=16, choices=State.choices, default=State.PLANNED
    )
    confirmed_by = models.ForeignKey(
        conf.user_model,
        verbose_name=_("confirmed by"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
    )
    plan = models.JSONField(_("plan"), default=dict)
    created_at = models.DateTimeField(_("planned at"), default=timezone.now, editable=False)
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True)
    done_at = models.DateTimeField(_("done at"), null=True)
    undone_at = models.DateTimeField(_("undone at"), null=True)

    objects = MergeManager()

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        permissions = [("merge_users", _("Can merge users and undo it"))]
        indexes = [
            models.Index(fields=["winner_key", "state"], name="wxauth_merge_winner_idx"),
            models.Index(fields=["loser_key", "state"], name="wxauth_merge_loser_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.loser_key} → {self.winner_key}"

    def can_be_undone(self, now: datetime) -> bool:
        """Tell whether it is done, and not too long ago."""
        return (
            self.state == self.State.DONE
            and self.done_at is not None
            and now - self.done_at <= UNDO_PERIOD
        )


class MergeStep(models.Model):
    """
    One thing that a merge did, with what it takes to undo it.

    ``keys`` are primary keys of ``model``, a chunk of them; ``data`` is what is no longer to be
    seen in the rows themselves.
    """

    class Kind(models.TextChoices):
        MOVED = "moved", _("moved")
        LEFT = "left", _("left with the merged user")
        REMOVED = "removed", _("removed")
        FILLED = "filled", _("filled in")
        CLEARED = "cleared", _("cleared")

    merge = models.ForeignKey(Merge, on_delete=models.CASCADE, related_name="steps")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    model = models.CharField(max_length=200)  # "app_label.Model"
    field = models.CharField(max_length=200, blank=True)
    keys = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    data = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        verbose_name = _("step of a merge")
        verbose_name_plural = _("steps of merges")

    def __str__(self) -> str:
        return f"{self.kind} {self.model}.{self.field}: {len(self.keys)}"
