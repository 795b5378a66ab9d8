from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.postgis.query import single_statement

CODE = st.sampled_from(
    ["SELECT", "1", "a.b", "(", ")", "';--'", "'it''s'", "E'\\';'", '";"', '"a""b"', "$$;$$",
     "$t$ ; $$ -- $t$", "x$1", "<", "-", "/", "é"]
)  # fmt: skip
SPACE = st.sampled_from([" ", "\n", "-- ; ' \n", "/* ; ' */", "/* a /* b */ ; */", "\t"])


PARTS = st.lists(st.tuples(CODE, SPACE), min_size=1, max_size=8)
ENDS = st.sampled_from(["", ";", " ;", ";;", "; ;"])


@settings(max_examples=150, deadline=None)
@given(parts=PARTS, ends=ENDS, behind=st.lists(SPACE, max_size=4))
def test_only_what_stands_behind_the_statement_is_cut(
    parts: list[tuple[str, str]], ends: str, behind: list[str]
) -> None:
    # A blank keeps the parts apart: two signs could begin a comment.
    statement = "".join(f"{code} {space} " for code, space in parts[:-1]) + parts[-1][0]
    tail = "".join(f" {space}" for space in behind)
    assert single_statement(f"{statement}{ends}{tail}") == statement


def test_code_behind_the_semicolon_is_refused() -> None:
    for text in ("SELECT 1; SELECT 2", "SELECT 1; DROP TABLE t;", "SELECT 1;/**/1"):
        with pytest.raises(SourceError, match="multiple commands"):
            single_statement(text)
