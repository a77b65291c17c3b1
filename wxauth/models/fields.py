"""A text column that tells ``oAb`` from ``oaB`` on every database."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class ExactCharField(models.CharField):
    """
    A ``CharField`` compared byte for byte.

    PostgreSQL and SQLite do so anyway; MySQL and MariaDB fold case unless the column has a
    binary collation, and two people whose openids differ by case would become one.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_bin"
        return parameters
