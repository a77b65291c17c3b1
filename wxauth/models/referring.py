"""What people hand on to those whom they invite."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wxauth.conf import conf
from wxauth.invite_codes import LENGTH
from wxauth.managers import InviteCodeManager
from wxauth.models.fields import ExactCharField


class InviteCode(models.Model):
    """
    A user's name among those whom they invite: short enough for a poster, telling nothing else.

    Made when it is first asked for, and never changed. Case does not count for people; what is
    stored is upper case.
    """

    user = models.OneToOneField(
        conf.user_model,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="wxauth_invite_code",
    )
    code = ExactCharField(_("invite code"), max_length=LENGTH)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    objects = InviteCodeManager()

    class Meta:
        verbose_name = _("invite code")
        verbose_name_plural = _("invite codes")
        constraints = [models.UniqueConstraint(fields=["code"], name="wxauth_invite_code_uniq")]

    def __str__(self) -> str:
        return self.code
