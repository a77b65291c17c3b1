"""One sign-in of one person on one device."""

import uuid
from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wxauth.conf import conf
from wxauth.managers import LoginSessionManager
from wxauth.models.identity import WechatIdentity

USER_AGENT_LENGTH = 256  # characters kept


class LoginSession(models.Model):
    """
    A sign-in that lasts until it expires or is revoked. Its id is the claim ``sid`` of its tokens.

    ``generation`` counts the refreshes. A refresh token carries the generation it was made in and
    is good while that is the current one; ``rotated_at`` is when the current one began, and all
    times inside the tokens are counted from it, so that the pair can be made again.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        conf.user_model,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="wxauth_sessions",
    )
    identity = models.ForeignKey(
        WechatIdentity,
        verbose_name=_("WeChat identity"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="sessions",
    )
    app = models.CharField(_("app"), max_length=64, blank=True)
    user_agent = models.CharField(_("device"), max_length=USER_AGENT_LENGTH, blank=True)
    ip_address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires at"))
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    generation = models.PositiveIntegerField(_("refreshes"), default=0)
    rotated_at = models.DateTimeField(_("last refreshed at"))

    # Whether opening it called off the deletion of the account: for its answer, not stored.
    deletion_cancelled = False

    objects = LoginSessionManager()

    class Meta:
        verbose_name = _("login session")
        verbose_name_plural = _("login sessions")
        indexes = [
            models.Index(fields=["expires_at"], name="wxauth_session_expires_idx"),
            models.Index(fields=["user", "-created_at"], name="wxauth_session_recent_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}, {self.created_at:%Y-%m-%d %H:%M}"

    def is_open(self, now: datetime) -> bool:
        """Tell whether this session still lets its user in."""
        return self.revoked_at is None and self.expires_at > now

    def is_fresh_loser(self, generation: int, *, now: datetime, grace: timedelta) -> bool:
        """Tell whether a token of ``generation`` has just lost a race of parallel refreshes."""
        return self.generation == generation + 1 and now - self.rotated_at <= grace
