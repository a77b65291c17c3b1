"""Users by number, where their own keys are none."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from wxauth.conf import conf
from wxauth.managers import AccountNumberManager


class AccountNumber(models.Model):
    """
    The number of a user whose primary key is not an integer; nobody else has a row.

    Clients of API工厂 carry it in links and in QR scenes, where a UUID does not fit.
    """

    number = models.BigAutoField(_("number"), primary_key=True)
    user = models.OneToOneField(
        conf.user_model,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="wxauth_number",
    )

    objects = AccountNumberManager()

    class Meta:
        verbose_name = _("account number")
        verbose_name_plural = _("account numbers")

    def __str__(self) -> str:
        return str(self.number)
