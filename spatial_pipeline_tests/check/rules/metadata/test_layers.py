import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.formats import Layers
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.support import memory_vector, run_rule


def judged(names, **parameters):
    result, violations = run_rule(Layers(**parameters), memory_vector([], layers=names))
    return result, violations.reasons.tolist()


NAMES = ("roads", "order", "Buildings 2024")


def test_the_promised_layers_pass_in_any_order():
    result, reasons = judged(NAMES, equals=NAMES[::-1], contains=("roads",), max_name_length=14)
    assert (result.status, result.checked, reasons) == (Status.PASSED, 3, [])
    assert result.message == "layers roads, order, Buildings 2024"


@pytest.mark.parametrize(
    ("parameters", "reasons"),
    [
        ({"equals": ("roads", "rivers")},
         ["layer Buildings 2024 is not expected", "layer order is not expected",
          "layer rivers is missing"]),
        ({"contains": ("roads", "rivers")}, ["layer rivers is missing"]),
        ({"name_pattern": "[a-z]+"}, ["the name Buildings 2024 does not match [a-z]+"]),
        ({"max_name_length": 6}, ["the name Buildings 2024 has 14 characters, at most 6"]),
        ({"no_reserved_words": True}, ["the name order is a reserved word of SQL"]),
    ],
)  # fmt: skip
def test_each_mistake_is_a_violation(parameters, reasons):
    result, found = judged(NAMES, **parameters)
    assert (result.status, found) == (Status.FAILED, reasons)


def test_what_has_no_layers_is_an_error():
    result, _ = judged(None, contains=("a",))
    assert (result.status, "Memory is not" in result.message) == (Status.ERROR, True)
    with pytest.raises(pydantic.ValidationError, match="give equals"):
        Layers()


@given(
    st.lists(st.sampled_from("abcd"), unique=True, min_size=1),
    st.lists(st.sampled_from("abcd"), unique=True, min_size=1),
)
@settings(max_examples=40, deadline=None)
def test_it_is_the_difference_of_two_sets(names, promised):
    _, reasons = judged(tuple(names), equals=tuple(promised))
    assert len(reasons) == len(set(names) ^ set(promised))
