import operator

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.forms import join_rule
from spatial_pipeline.contract.rules.joins import RelatedValues
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.joins import joined

OTHER = {"dataset": "zones"}
OWN = {"zone": ["a", "a", "b", "c", None, "b"], "height": [5, 30, 12, 1, 1, None]}
ZONES = {"id": ["a", "b"], "limit": [20.0, 10.0]}
KEYS = {"zone": "id"}


def test_comparisons_with_the_related_row():
    rule = RelatedValues(other=OTHER, keys=KEYS, compare=[("height", "<=", "limit")])
    result, violations = joined(rule, OWN, ZONES)
    assert [f[:2] for f in violations] == [
        ((1,), "height 30, not <= limit 20.0 of the related row"),
        ((2,), "height 12, not <= limit 10.0 of the related row"),
    ]
    assert (result.status, result.checked) == (Status.FAILED, 3)
    for note in (
        "1 row with a null in the key not judged",
        "1 row without a related row not judged",
        "1 pair not judged because of a null",
    ):
        assert note in result.message


def test_sql_over_both():
    rule = RelatedValues(other=OTHER, keys=KEYS, sql='a.height <= b."limit" + 5')
    result, violations = joined(rule, OWN, ZONES)
    assert [f[:2] for f in violations] == [
        ((1,), "not true for the related row id = 'a': a.height <= b.\"limit\" + 5")
    ]
    assert result.checked == 3
    unless = rule.model_copy(update={"unless": "a.height = 30"})
    assert joined(unless, OWN, ZONES)[0].passed


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sql": "a.nope = 1"}, "sql: "),
        ({"compare": [("height", "<", "nope")]}, "needs column nope in memory"),
        ({"compare": [("nope", "<", "limit")]}, "needs column nope"),
        ({"compare": [("zone", "<", "limit")]}, "needs comparable"),
    ],
)
def test_what_cannot_be_compared_is_an_error(fields, said):
    result, _ = joined(RelatedValues(other=OTHER, keys=KEYS, **fields), OWN, ZONES)
    assert result.status is Status.ERROR
    assert result.message.startswith(said)


SIGNS = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
         ">": operator.gt, ">=": operator.ge}  # fmt: skip
ROWS = st.lists(st.tuples(st.integers(0, 2), st.none() | st.integers(0, 3)), max_size=6)


@settings(max_examples=30, deadline=None)
@given(ROWS, ROWS, st.sampled_from(list(SIGNS)), st.booleans())
def test_pairs_are_all_pairs(own, other, sign, written):
    def columns(rows, *names):
        parts = zip(*rows, strict=True) if rows else ((), ())
        return {n: pa.array(p, pa.int64()) for n, p in zip(names, parts, strict=True)}

    how = {"sql": f"a.x {sign} b.y"} if written else {"compare": [("x", sign, "y")]}
    rule = RelatedValues(other=OTHER, keys={"k": "j"}, **how)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(join_rule, "PAIRS", 2)
        result, violations = joined(rule, columns(own, "k", "x"), columns(other, "j", "y"))
    pairs = [
        (i, x, y) for i, (k, x) in enumerate(own) for j, y in other if k == j and None not in (x, y)
    ]
    assert [f[0][0] for f in violations] == [i for i, x, y in pairs if not SIGNS[sign](x, y)]
    assert result.checked == len(pairs)
