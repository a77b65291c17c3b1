"""Who has asked to be forgotten, and when that is due."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wxauth.conf import conf
from wxauth.managers import DeletionRequestManager

ERROR_LENGTH = 500  # characters


class DeletionRequest(models.Model):
    """
    An account that is to be deleted at ``due_at``, unless its person comes back before.

    The row is there while that is so: coming back removes it, and so does the deletion. What has
    become of it stands in the audit trail.
    """

    class Source(models.TextChoices):
        USER = "user", _("the user")
        WECHAT = "wechat", _("WeChat: the WeChat account was closed")

    user = models.OneToOneField(
        conf.user_model,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="wxauth_deletion",
    )
    source = models.CharField(_("asked for by"), max_length=16, choices=Source.choices)
    requested_at = models.DateTimeField(_("requested at"), default=timezone.now, editable=False)
    due_at = models.DateTimeField(_("due at"))
    failed_at = models.DateTimeField(_("last failed at"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=ERROR_LENGTH, blank=True)

    objects = DeletionRequestManager()

    class Meta:
        verbose_name = _("deletion request")
        verbose_name_plural = _("deletion requests")
        indexes = [models.Index(fields=["due_at"], name="wxauth_deletion_due_idx")]

    def __str__(self) -> str:
        return f"{self.user_id}, {self.due_at:%Y-%m-%d %H:%M}"
