"""The example project as a deployment on this process's database and cache, by variables alone."""

import json
import os
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from wxauth.simulator import WechatSimulator


def deployment(simulator: WechatSimulator) -> dict[str, str]:
    """Return the variables that make the example project a deployment on the tests' services."""
    variables = {
        "DEBUG": "0",
        "SECRET_KEY": settings.SECRET_KEY,
        "DATABASE_URL": database_url(),
        "WXAUTH_API_BASE_URL": simulator.base_url,
        "WXAUTH_APPS": json.dumps(settings.WXAUTH_APPS),
        "WXAUTH_THROTTLES": "0",
    }
    if "REDIS_URL" in os.environ:
        variables["REDIS_URL"] = os.environ["REDIS_URL"]
        variables["REDIS_KEY_PREFIX"] = settings.CACHES["default"]["KEY_PREFIX"]
    return variables


def database_url() -> str:
    """Return the address of the database that the tests are using."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
