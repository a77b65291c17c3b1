"""Codes of text messages, and the counters that guard them and passwords."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from wxauth.managers import SmsCodeManager, TallyManager


class SmsCode(models.Model):
    """
    The one code that lives for a number and a purpose; the next one overwrites it.

    ``digest`` is empty when no code is live. It is keyed with a secret of the settings: of six
    digits alone, any hash can be undone by trying them all.
    """

    class Purpose(models.TextChoices):
        LOGIN = "login", _("sign in")
        BIND = "bind", _("bind the number")
        RESET_PASSWORD = "reset_password", _("set a password")
        # For clients of API工厂, which ask for a code before they say what for.
        ANY = "any", _("anything")

    number = models.CharField(_("number"), max_length=20)  # E.164
    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose.choices)
    digest = models.CharField(_("digest"), max_length=64, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    sent_at = models.DateTimeField(_("sent at"))
    expires_at = models.DateTimeField(_("expires at"))

    objects = SmsCodeManager()

    class Meta:
        verbose_name = _("SMS code")
        verbose_name_plural = _("SMS codes")
        constraints = [
            models.UniqueConstraint(fields=["number", "purpose"], name="wxauth_sms_code_one_live")
        ]
        indexes = [models.Index(fields=["expires_at"], name="wxauth_sms_code_expires_idx")]

    def __str__(self) -> str:
        return f"{self.purpose} {self.pk}"


class Tally(models.Model):
    """
    How often something was done in one window of time.

    In the database and not in the cache: messages cost money, and the loss of a cache must not
    lift the limit. ``name`` holds a keyed digest instead of the number or address it counts.
    """

    name = models.CharField(_("name"), max_length=100)
    count = models.PositiveIntegerField(_("count"))
    expires_at = models.DateTimeField(_("expires at"))

    objects = TallyManager()

    class Meta:
        verbose_name = _("tally")
        verbose_name_plural = _("tallies")
        constraints = [models.UniqueConstraint(fields=["name"], name="wxauth_tally_name_uniq")]
        indexes = [models.Index(fields=["expires_at"], name="wxauth_tally_expires_idx")]

    def __str__(self) -> str:
        return self.name
