"""The name of a database table as a contract writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass

IDENTIFIER_BYTES = 63
"""PostgreSQL cuts longer identifiers (NAMEDATALEN), so that two names become one."""
_PART = r'("(?:[^"]|"")*"|[^".]+)'
_NAME = re.compile(rf"{_PART}\.{_PART}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TableName:
    """A schema and a table in it; both are taken literally, case included."""

    schema: str
    table: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"

    @classmethod
    def parse(cls, text: str) -> TableName:
        """Reads ``schema.table``; a part with a dot or a quote in it stands in double quotes.

        Raises:
            ValueError: the text is no such name.

        """
        match = _NAME.fullmatch(text)
        if match is None:
            msg = (
                f"{text!r} is not of the form schema.table, as public.{text} would be (a part that "
                'contains . or " needs double quotes)'
            )
            raise ValueError(msg)
        return cls(*(identifier(_unquoted(part)) for part in match.groups()))


def identifier(name: str) -> str:
    """The name, when PostgreSQL can keep it as it is.

    Raises:
        ValueError: it is empty, too long, or holds what no identifier can.

    """
    if not name or "\0" in name:
        msg = f"{name!r} is not an identifier: it is {'empty' if not name else 'cut by a NUL'}"
        raise ValueError(msg)
    try:
        size = len(name.encode())
    except UnicodeEncodeError as exc:
        msg = f"{name!r} is not an identifier: it is not Unicode text"
        raise ValueError(msg) from exc
    if size > IDENTIFIER_BYTES:
        msg = f"{name!r} has {size} bytes; PostgreSQL keeps {IDENTIFIER_BYTES} of an identifier"
        raise ValueError(msg)
    return name


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part
