"""The app of the custom user model."""

from django.apps import AppConfig


class UuidUserConfig(AppConfig):
    """Users with a UUID for a key and no username."""

    name = "tests.uuid_user"
    label = "uuid_user"
    default_auto_field = "django.db.models.BigAutoField"
