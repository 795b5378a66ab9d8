"""The one statement of a query, without the semicolon and the comments behind it.

Follows PostgreSQL's lexer (scan.l) as far as it is needed to tell what is code.
"""

from __future__ import annotations

import re

from spatial_pipeline.errors import SourceError

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*)
    | (?P<comment>/\*)
    | (?P<end>;)
    | (?P<code>
        [eE]'(?:[^'\\]|\\.|'')*'
      | '(?:[^']|'')*'
      | "(?:[^"]|"")*"
      | (?<![\w$])\$(?P<tag>(?:[A-Za-z_\x80-\U0010ffff][\w]*)?)\$.*?\$(?P=tag)\$
      | [\w$]+
      | .
      )
    """,
    re.VERBOSE | re.DOTALL,
)
_EDGE = re.compile(r"/\*|\*/")


def single_statement(text: str) -> str:
    """The statement, ready to stand between parentheses.

    Args:
        text: SQL that the server parsed as one statement, or will refuse.

    Raises:
        SourceError: there is code behind the semicolon.

    """
    at, last, ended = 0, 0, False
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            break
        at = found.end()
        if found["comment"]:
            at = _behind_comment(text, at)
        elif found["end"]:
            ended = True
        elif found["code"]:
            if ended:
                msg = "the query has multiple commands: write one SELECT"
                raise SourceError(msg)
            last = at
    return text[:last]


def _behind_comment(text: str, at: int) -> int:
    """Place behind a comment, which may hold others."""
    depth = 1
    for edge in _EDGE.finditer(text, at):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return edge.end()
    return len(text)
