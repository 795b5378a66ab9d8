import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.rules.metadata.text_encoding import damage
from spatial_pipeline.contract.rules.attributes import TextEncoding
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere

RULE = TextEncoding(columns=("name",))


def judged(*names):
    points = [shapely.Point(i, 0) for i in range(len(names))]
    return everywhere(RULE, points, {"name": list(names)})


def test_sound_texts_pass():
    sound = ["", "Straße", "Łódź", "東京", "Ãrvore", "Â", "tab\tand\r\nline", "São Tomé", None]
    result, violations = judged(*sound)
    assert (result.status, result.checked, violations) == (Status.PASSED, 8, [])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Stra\ufffde", "name: replacement character in 'Stra\ufffde'"),
        ("a\x0bb", "name: control character U+000B in 'a\\x0bb'"),
        ("StraÃŸe", "name: 'StraÃŸe' is UTF-8 read as Windows-1252: 'Straße'"),
        ("20Â°", "name: '20Â°' is UTF-8 read as Windows-1252: '20°'"),
        ("itâ€™s", "name: 'itâ€™s' is UTF-8 read as Windows-1252: 'it’s'"),
        ("Cafe\u0301", "name: 'Cafe\u0301' is not in normal form C"),
    ],
)
def test_damage(text, reason):
    _, violations = judged("good", text)
    assert [f[:2] for f in violations] == [((1,), reason)]


def test_numbers_are_no_text():
    result, _ = everywhere(RULE, [shapely.Point(0, 0)], {"name": [1]})
    assert (result.status, result.message) == (Status.ERROR, "column name holds int64, not text")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=6), min_size=1, max_size=6))
def test_the_arrays_find_what_the_oracle_finds_text_by_text(texts):
    _, violations = judged(*texts)
    assert [f[0][0] for f in violations] == [i for i, t in enumerate(texts) if damage(t)]
