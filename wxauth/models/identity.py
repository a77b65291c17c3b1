"""Who a person is to WeChat: one identity per app, one union per Open Platform account."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wxauth.conf import conf
from wxauth.managers import WechatIdentityManager, WechatUnionManager
from wxauth.models.fields import ExactCharField

ID_LENGTH = 128  # characters; WeChat's are 28 and 29, and documents promise no limit
NOT_AN_ID = ["", "null", "None", "undefined"]  # what careless clients and SDKs store as one


class WechatIdentity(models.Model):
    """One person in one app. (app_id, openid) is the key, and the only one."""

    user = models.ForeignKey(
        conf.user_model,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="wxauth_identities",
    )
    app_id = ExactCharField(_("app id"), max_length=64)
    openid = ExactCharField("openid", max_length=ID_LENGTH)
    # As WeChat last said. Whose it is stands in WechatUnion.
    unionid = ExactCharField("unionid", max_length=ID_LENGTH, null=True, blank=True)
    union_conflict_at = models.DateTimeField(
        _("union conflict since"),
        null=True,
        blank=True,
        help_text=_("Set while the unionid belongs to another user."),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    last_login_at = models.DateTimeField(_("last login at"), null=True, blank=True)

    objects = WechatIdentityManager()

    class Meta:
        verbose_name = _("WeChat identity")
        verbose_name_plural = _("WeChat identities")
        constraints = [
            models.UniqueConstraint(
                fields=["app_id", "openid"], name="wxauth_identity_openid_uniq"
            ),
            models.CheckConstraint(
                condition=~models.Q(openid__in=NOT_AN_ID), name="wxauth_identity_openid_real"
            ),
            models.CheckConstraint(
                condition=models.Q(unionid__isnull=True) | ~models.Q(unionid__in=NOT_AN_ID),
                name="wxauth_identity_unionid_real",
            ),
        ]
        indexes = [models.Index(fields=["unionid"], name="wxauth_identity_unionid_idx")]

    def __str__(self) -> str:
        return f"{self.openid} ({self.app_id})"


class WechatUnion(models.Model):
    """One person in one Open Platform account: the database decides to which user it belongs."""

    scope = ExactCharField(_("union scope"), max_length=64)
    unionid = ExactCharField("unionid", max_length=ID_LENGTH)
    user = models.ForeignKey(
        conf.user_model,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="wxauth_unions",
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    objects = WechatUnionManager()

    class Meta:
        verbose_name = _("WeChat union")
        verbose_name_plural = _("WeChat unions")
        constraints = [
            models.UniqueConstraint(fields=["scope", "unionid"], name="wxauth_union_unionid_uniq"),
            models.CheckConstraint(
                condition=~models.Q(unionid__in=NOT_AN_ID), name="wxauth_union_unionid_real"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unionid} ({self.scope})"
