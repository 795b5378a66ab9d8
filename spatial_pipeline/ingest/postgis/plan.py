"""Facts about views and queries that only the planner of the server knows.

``EXPLAIN (VERBOSE)`` names the tables below a view, the column of a table that an output column is,
and the functions that are called. It reads no rows. Nothing here decides what is read: the facts
become notes, and the declared types of empty results.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg

_IDENTIFIER = r'"(?:[^"]|"")+"|[a-z_\x80-\U0010ffff][\w$]*'
_COLUMN = re.compile(rf"({_IDENTIFIER})\.({_IDENTIFIER})")
_CAST = re.compile(r"\)?::(?:\w+\.)?(geometry|geography)\((\w+(?:,\d+)?)\)")
_CALL = re.compile(rf"(?:({_IDENTIFIER})\.)?({_IDENTIFIER})\(")
_TEXT = re.compile(r"E?'(?:[^']|'')*'")
_MOMENT = re.compile(
    r"(?<![\w.\"])(CURRENT_(?:DATE|TIME|TIMESTAMP|USER|ROLE|SCHEMA|CATALOG)|LOCALTIME(?:STAMP)?"
    r"|SESSION_USER)(?!\w)"
)
_STABLE = ["age", "current_setting", "now", "statement_timestamp", "transaction_timestamp"]
"""Functions whose result stands for one transaction only."""
_CHANGING = """
SELECT DISTINCT p.proname FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN unnest($1::text[], $2::text[]) AS called(home, name) ON called.name = p.proname
WHERE (called.home = n.nspname OR called.home = '' AND pg_catalog.pg_function_is_visible(p.oid))
  AND (p.provolatile = 'v' OR n.nspname = 'pg_catalog' AND p.proname = ANY($3))
ORDER BY 1
"""
_SECURED = """
SELECT DISTINCT pg_catalog.format('%s.%s', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN unnest($1::text[], $2::text[]) AS used(home, name)
  ON used.home = n.nspname AND used.name = c.relname
WHERE c.relrowsecurity ORDER BY 1
"""
_DECLARED = """
SELECT used.number, pg_catalog.format_type(a.atttypid, a.atttypmod)
FROM unnest($1::text[], $2::text[], $3::text[], $4::int4[]) AS used(home, name, attname, number)
JOIN pg_catalog.pg_namespace n ON n.nspname = used.home
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = used.name
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = used.attname
WHERE NOT a.attisdropped
"""


@dataclass(frozen=True)
class ServerPlan:
    """Tables and functions in the server's plan of a view or a query.

    Attributes:
        output: expression of each output column.
        relations: alias, schema and name of every table that is read.
        called: schema, empty where none is shown, and name of every function that is called.
        moments: keywords that stand for the moment or the login, such as ``CURRENT_DATE``.
        sampled: whether rows are drawn by chance.

    """

    output: tuple[str, ...]
    relations: tuple[tuple[str, str, str], ...]
    called: tuple[tuple[str, str], ...]
    moments: tuple[str, ...]
    sampled: bool


async def planned(connection: asyncpg.Connection, relation: str) -> ServerPlan:
    """The plan of all rows of what stands behind FROM."""
    (top,) = json.loads(
        await connection.fetchval(
            f"EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT * FROM {relation} AS source"  # noqa: S608
        )
    )
    nodes = list(_nodes(top["Plan"]))
    relations = {
        (n["Alias"], n["Schema"], n["Relation Name"]): None
        for n in nodes
        if "Relation Name" in n and "Schema" in n
    }
    shown = [_TEXT.sub("''", t) for n in nodes for t in _expressions(n)]
    called = {(_plain(home or ""), _plain(name)) for t in shown for home, name in _CALL.findall(t)}
    called |= {(n.get("Schema", ""), n["Function Name"]) for n in nodes if "Function Name" in n}
    return ServerPlan(
        output=tuple(top["Plan"].get("Output", ())),
        relations=tuple(relations),
        called=tuple(sorted(called)),
        moments=tuple(sorted({m for t in shown for m in _MOMENT.findall(t)})),
        sampled=any(n["Node Type"] == "Sample Scan" and "Repeatable Seed" not in n for n in nodes),
    )


async def changing(connection: asyncpg.Connection, plan: ServerPlan) -> list[str]:
    """Names of what makes the rows differ from one look to the next."""
    homes, names = [c[0] for c in plan.called], [c[1] for c in plan.called]
    rows = await connection.fetch(_CHANGING, homes, names, _STABLE)
    found = [f"{r[0]}()" for r in rows]
    return [*found, *plan.moments, *(["TABLESAMPLE"] if plan.sampled else [])]


async def secured(connection: asyncpg.Connection, plan: ServerPlan) -> list[str]:
    """Names of the tables with row-level security."""
    homes, names = [r[1] for r in plan.relations], [r[2] for r in plan.relations]
    return [row[0] for row in await connection.fetch(_SECURED, homes, names)]


async def declared_types(connection: asyncpg.Connection, plan: ServerPlan) -> dict[int, str]:
    """Types with their modifiers of output columns that are a column of a table, or a cast."""
    found: dict[int, str] = {}
    tables = {alias: (home, name) for alias, home, name in plan.relations}
    asked: list[tuple[str, str, str, int]] = []
    for number, text in enumerate(plan.output):
        column = _COLUMN.fullmatch(text)
        cast = _CAST.search(text)
        if column and _plain(column[1]) in tables:
            asked.append((*tables[_plain(column[1])], _plain(column[2]), number))
        elif cast and cast.end() == len(text.rstrip(")")) + 1:
            found[number] = f"{cast[1]}({cast[2]})"
    rows = (
        await connection.fetch(_DECLARED, *(map(list, zip(*asked, strict=True)))) if asked else []
    )
    return found | {row[0]: row[1] for row in rows}


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _expressions(node: dict[str, Any]) -> Iterator[str]:
    """Texts of a node that may call functions."""
    for key, value in node.items():
        if key in {"Plans", "Node Type", "Relation Name", "Schema", "Alias", "Function Name"}:
            continue
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (v for v in value if isinstance(v, str))


def _plain(identifier: str) -> str:
    """The name that an identifier means."""
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier
