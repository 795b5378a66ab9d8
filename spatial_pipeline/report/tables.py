"""The style of tables on terminals: no frame, whole names, sentences wrapped in the last column."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

SENTENCE = 20
"""Width that the columns with sentences need at least."""


class _WholeNames(Table):
    """Wraps names, too, where the terminal has no room for them: Rich would cut them off."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = [c for c in self.columns if c.no_wrap]
        wide = sum(
            max(
                Measurement.get(console, options, cell).maximum
                for cell in (column.header, *column.cells)
            )
            for column in whole
        )
        if wide + 3 * len(whole) + SENTENCE > options.max_width:
            for column in whole:
                column.no_wrap = False
        yield from super().__rich_console__(console, options)


def terminal_table(*columns: str, title: Text | str | None = None, wrap: int = 1) -> Table:
    """An empty table whose last columns wrap at words, and whose other columns stay whole.

    Args:
        columns: headings.
        title: title, set left.
        wrap: number of columns, counted from the right, that may wrap.

    """
    table = _WholeNames(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=index < len(columns) - wrap)
    return table
