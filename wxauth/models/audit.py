"""Who did what to which account, when and from where. Rows are added, and never changed."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wxauth.conf import conf
from wxauth.managers import AuditEventManager
from wxauth.models.session import USER_AGENT_LENGTH

USER_KEY_LENGTH = 64  # characters; a primary key as text


class AuditEvent(models.Model):
    """
    One thing that happened to the account of ``user``, done by ``actor``.

    The keys stay when the users are gone. ``facts`` holds what else is worth knowing: never a
    secret, a code, or a whole phone number.
    """

    class Kind(models.TextChoices):
        PHONE_BOUND = "phone_bound", _("phone number bound")
        PHONE_UNBOUND = "phone_unbound", _("phone number unbound")
        WECHAT_BOUND = "wechat_bound", _("WeChat linked")
        WECHAT_UNBOUND = "wechat_unbound", _("WeChat unlinked")
        PASSWORD_CHANGED = "password_changed", _("password changed")
        SIGN_IN_REFUSED = "sign_in_refused", _("sign-in refused")
        UNION_CONFLICT = "union_conflict", _("unionid of another user")
        PHONE_CONFLICT = "phone_conflict", _("phone number of another user")
        MERGED = "merged", _("users merged")
        MERGE_UNDONE = "merge_undone", _("merge undone")
        EXPORTED = "exported", _("data exported")
        DELETION_REQUESTED = "deletion_requested", _("deletion requested")
        DELETION_CANCELLED = "deletion_cancelled", _("deletion cancelled")
        DELETED = "deleted", _("account deleted")
        CONSENT_GIVEN = "consent_given", _("privacy consent given")
        CONSENT_REVOKED = "consent_revoked", _("privacy consent revoked")

    kind = models.CharField(_("what"), max_length=32, choices=Kind.choices)
    user = models.ForeignKey(
        conf.user_model,
        verbose_name=_("user"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="wxauth_audit_events",
    )
    user_key = models.CharField(_("uid"), max_length=USER_KEY_LENGTH, blank=True)
    actor = models.ForeignKey(
        conf.user_model,
        verbose_name=_("done by"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
    )
    actor_key = models.CharField(_("uid of who did it"), max_length=USER_KEY_LENGTH, blank=True)
    app = models.CharField(_("app"), max_length=64, blank=True)
    user_agent = models.CharField(_("device"), max_length=USER_AGENT_LENGTH, blank=True)
    ip_address = models.GenericIPAddressField(_("address"), null=True)
    facts = models.JSONField(_("facts"), default=dict)
    at = models.DateTimeField(_("when"), default=timezone.now)

    objects = AuditEventManager()

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit trail")
        indexes = [
            models.Index(fields=["user_key", "-at"], name="wxauth_audit_user_idx"),
            models.Index(fields=["at"], name="wxauth_audit_at_idx"),
            models.Index(fields=["kind", "-at"], name="wxauth_audit_kind_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.user_key} {self.at:%Y-%m-%d %H:%M}"
