"""The app, as Django loads it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WxauthConfig(AppConfig):
    name = "wxauth"
    verbose_name = _("WeChat sign-in")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Here, since both know the models, which are not loaded before: the checks, and what
        # listens to sign-ins and new passwords before the first page of ours is asked for.
        from wxauth import checks  # noqa: F401, PLC0415
        from wxauth.web import browser  # noqa: F401, PLC0415
