"""The migrations say what the models say, and can be undone, on each database."""

import re

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader


def our_tables():
    """Return the names of the package's tables that exist."""
    return sorted(n for n in connection.introspection.table_names() if n.startswith("wxauth_"))


def test_models_and_migrations_agree(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_migrations_can_be_undone_and_done_again(transactional_db):
    tables = our_tables()
    try:
        call_command("migrate", "wxauth", "zero", verbosity=0)
        left = our_tables()
    finally:
        call_command("migrate", verbosity=0)

    assert tables
    assert left == []
    assert our_tables() == tables


@pytest.mark.static
def test_migrations_are_named_by_content():
    names = [name for app, name in MigrationLoader(None).disk_migrations if app == "wxauth"]

    assert names
    assert not [name for name in names if re.search(r"auto_\d|initial|custom", name)]
