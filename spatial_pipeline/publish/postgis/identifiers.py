"""Quoting of identifiers: the only place where a user's name becomes part of a statement."""

from __future__ import annotations

from spatial_pipeline.contract.table_name import TableName, identifier
from spatial_pipeline.errors import StoreError

SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
"""Names that PostgreSQL keeps for itself in every table."""


def quoted(name: str) -> str:
    """A delimited identifier that means exactly this name.

    Raises:
        StoreError: PostgreSQL cannot keep such a name.

    """
    try:
        return '"' + identifier(name).replace('"', '""') + '"'
    except ValueError as exc:
        raise StoreError(str(exc)) from exc


def quoted_table(name: TableName) -> str:
    """Schema and table, both delimited."""
    return f"{quoted(name.schema)}.{quoted(name.table)}"


def quoted_column(name: str) -> str:
    """A delimited column name.

    Raises:
        StoreError: PostgreSQL cannot have a column of this name.

    """
    if name in SYSTEM_COLUMNS:
        msg = f"column {name!r} cannot be published: PostgreSQL has a column of its own so named"
        raise StoreError(msg)
    try:
        return quoted(name)
    except StoreError as exc:
        msg = f"column {exc}"
        raise StoreError(msg) from exc


def shortened(name: str, size: int) -> str:
    """The name, cut at a character so that it has at most ``size`` bytes of UTF-8."""
    return name.encode()[:size].decode(errors="ignore")
