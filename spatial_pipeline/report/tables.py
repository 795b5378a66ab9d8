"""The style of tables on terminals: no frame, whole names, sentences wrapped in the last column."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text


def terminal_table(*columns: str, title: Text | str | None = None, wrap: int = 1) -> Table:
    """An empty table whose last columns wrap at words, and whose other columns stay whole.

    Args:
        columns: headings.
        title: title, set left.
        wrap: number of columns, counted from the right, that may wrap.

    """
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=index < len(columns) - wrap)
    return table
