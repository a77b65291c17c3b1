"""Many new rows of one of our tables, as fast as the database takes them."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connections, models

from wxauth import transactions


def insert(
    model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """
    Insert rows, each the values of ``columns`` (names of fields, ``user_id`` for a foreign key).

    The other fields have their defaults. PostgreSQL gets a COPY, which spares an instance of the
    model for each row; constraints hold there too. Only inside a transaction.
    """
    connection = connections[transactions.database()]
    fixed = {
        field.attname: field.get_default()
        for field in model._meta.concrete_fields
        if field.attname not in columns and not field.primary_key
    }
    with connection.cursor() as cursor:
        if not hasattr(cursor.cursor, "copy"):  # another database, or psycopg 2
            model._default_manager.bulk_create(
                model(**dict(zip(columns, row, strict=True))) for row in rows
            )
            return
        fields = {field.attname: field for field in model._meta.concrete_fields}
        names = [*columns, *fixed]
        quoted = ", ".join(connection.ops.quote_name(str(fields[name].column)) for name in names)
        table = connection.ops.quote_name(model._meta.db_table)
        rest = [fields[name].get_db_prep_save(value, connection) for name, value in fixed.items()]
        with cursor.cursor.copy(f"COPY {table} ({quoted}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([*row, *rest])
