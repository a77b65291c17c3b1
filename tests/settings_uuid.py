"""The test settings for a host whose users have a UUID for a key and no username."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = ["tests.uuid_user", *INSTALLED_APPS]
AUTH_USER_MODEL = "uuid_user.User"
