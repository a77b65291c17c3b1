"""What people have granted to our apps over the web, where the project keeps that."""

import json
from dataclasses import dataclass, field
from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from wxauth import sealing
from wxauth.managers import ProviderTokenManager
from wxauth.models.identity import WechatIdentity


@dataclass(frozen=True, slots=True)
class TokenTexts:
    """Both tokens of a grant, as WeChat gave them."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


class ProviderToken(models.Model):
    """
    WeChat's access and refresh token of one identity, encrypted; it goes with the identity.

    ``version`` counts the writes: who renews the tokens replaces only what they have read.
    """

    identity = models.OneToOneField(
        WechatIdentity,
        verbose_name=_("WeChat identity"),
        on_delete=models.CASCADE,
        related_name="provider_token",
    )
    sealed = models.BinaryField(_("tokens"))
    scope = models.CharField(_("scope"), max_length=128)  # comma separated, sorted
    access_ends_at = models.DateTimeField(_("access ends at"))
    ends_at = models.DateTimeField(_("ends at"))  # of the refresh token
    version = models.PositiveIntegerField(_("version"), default=0)

    objects = ProviderTokenManager()

    class Meta:
        verbose_name = _("provider token")
        verbose_name_plural = _("provider tokens")
        indexes = [models.Index(fields=["ends_at"], name="wxauth_provider_ends_idx")]

    def __str__(self) -> str:
        return f"{self.identity_id}, {self.ends_at:%Y-%m-%d %H:%M}"

    def close(self, texts: TokenTexts) -> None:
        """Encrypt the tokens into this row; they open for this identity's row alone."""
        content = json.dumps([texts.access_token, texts.refresh_token]).encode()
        self.sealed = sealing.seal(content, name=self._name())

    def open(self) -> TokenTexts | None:
        """Return the tokens; None when they were encrypted by a key that is gone."""
        content = sealing.unseal(bytes(self.sealed), name=self._name())
        return None if content is None else TokenTexts(*json.loads(content))

    def is_over(self, now: datetime) -> bool:
        """Tell whether the refresh token has ended."""
        return self.ends_at <= now

    def _name(self) -> str:
        return f"wxauth:provider_token:{self.identity_id}"
