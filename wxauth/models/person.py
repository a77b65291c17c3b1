"""What we keep of a user beside WeChat's ids: profile, phone number, who invited them."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wxauth.conf import conf
from wxauth.managers import PhoneNumberManager, ReferralManager, WechatProfileManager


class WechatProfile(models.Model):
    """How a user wants to be shown, and what they agreed to."""

    class Gender(models.IntegerChoices):
        UNKNOWN = 0, _("unknown")
        MALE = 1, _("male")
        FEMALE = 2, _("female")

    user = models.OneToOneField(
        conf.user_model,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="wxauth_profile",
    )
    nickname = models.CharField(_("nickname"), max_length=128, blank=True)
    avatar_url = models.URLField(_("avatar"), max_length=1024, blank=True)
    avatar_refused_at = models.DateTimeField(
        _("avatar not copied since"),
        null=True,
        blank=True,
        help_text=_("Set when there was no picture to be had at the address."),
    )
    gender = models.PositiveSmallIntegerField(
        _("gender"), choices=Gender.choices, default=Gender.UNKNOWN
    )
    ext = models.JSONField(_("further attributes"), default=dict, blank=True)
    app = models.CharField(_("registered through"), max_length=64, blank=True)
    consent_version = models.CharField(_("privacy consent"), max_length=64, blank=True)
    consent_at = models.DateTimeField(_("consented at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    objects = WechatProfileManager()

    class Meta:
        verbose_name = _("WeChat profile")
        verbose_name_plural = _("WeChat profiles")

    def __str__(self) -> str:
        return self.nickname or str(self.user_id)


class PhoneNumber(models.Model):
    """The one number of a user, proved at ``verified_at``. The number belongs to nobody else."""

    class Source(models.TextChoices):
        PHONE_CODE = "phone_code", _("phone button")
        ENCRYPTED_DATA = "encrypted_data", _("encrypted data")
        SMS = "sms", _("text message")
        IMPORTED = "imported", _("another backend")

    user = models.OneToOneField(
        conf.user_model,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="wxauth_phone",
    )
    number = models.CharField(_("number"), max_length=20)  # E.164: "+" and at most 15 digits
    source = models.CharField(_("source"), max_length=20, choices=Source.choices)
    verified_at = models.DateTimeField(_("verified at"))

    objects = PhoneNumberManager()

    class Meta:
        verbose_name = _("phone number")
        verbose_name_plural = _("phone numbers")
        constraints = [models.UniqueConstraint(fields=["number"], name="wxauth_phone_number_uniq")]

    def __str__(self) -> str:
        return self.masked

    @property
    def masked(self) -> str:
        """The number with its middle hidden, as lists and answers show it: ``+86138****8000``."""
        shown = max(len(self.number) - 8, 2)
        return f"{self.number[:shown]}****{self.number[-4:]}"


class Referral(models.Model):
    """Who invited a user. Written once, with the registration, and never changed afterwards."""

    referee = models.OneToOneField(
        conf.user_model,
        verbose_name=_("invited user"),
        on_delete=models.CASCADE,
        related_name="wxauth_referral",
    )
    referrer = models.ForeignKey(
        conf.user_model,
        verbose_name=_("invited by"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="wxauth_referees",
    )
    scene = models.CharField(_("scene"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    objects = ReferralManager()

    class Meta:
        verbose_name = _("referral")
        verbose_name_plural = _("referrals")
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(referee=models.F("referrer")), name="wxauth_referral_not_self"
            )
        ]
        indexes = [
            # Whom a user has invited, newest first; and all that a count of them needs.
            models.Index(
                fields=["referrer", "created_at", "id", "referee"],
                name="wxauth_referral_recent_idx",
            ),
            # Who has invited most within a period.
            models.Index(fields=["created_at", "referrer"], name="wxauth_referral_period_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.referrer_id} → {self.referee_id}"
