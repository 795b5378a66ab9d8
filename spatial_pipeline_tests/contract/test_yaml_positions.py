from __future__ import annotations

import pytest

from spatial_pipeline.contract.yaml_positions import MAX_VALUES, DocumentError, read_documents


def test_every_key_and_value_has_its_line() -> None:
    text = "# a comment\ntype: x\nattributes:\n  rules:\n    - {rule: crs,\n       equals: a}\n"
    (document,) = read_documents(text)
    assert document.value == {
        "type": "x",
        "attributes": {"rules": [{"rule": "crs", "equals": "a"}]},
    }
    lines = document.lines
    assert lines.of(("type",)) == 2
    assert lines.of(("attributes",), key=True) == 3
    assert lines.of(("attributes", "rules"), key=True) == 4
    assert lines.of(("attributes", "rules"), key=False) == 5
    assert lines.of(("attributes", "rules", 0, "equals")) == 6


def test_what_is_not_there_has_the_line_of_what_is_around_it() -> None:
    (document,) = read_documents("a:\n  b:\n    c: 1\n")
    assert document.lines.of(("a", "b", "missing", "deeper")) == 2
    assert document.lines.of(("missing",)) == 1


def test_several_documents_know_their_own_lines() -> None:
    first, second = read_documents("a: 1\n---\n\nb: 2\n---\n")
    assert first.lines.of(("a",)) == 1
    assert second.lines.of(("b",)) == 4


def test_doubled_keys_are_told_and_merged_ones_are_not() -> None:
    text = "base: &b\n  x: 1\nother:\n  <<: *b\n  x: 2\nbase: 3\n"
    (document,) = read_documents(text)
    assert document.doubles == ((6, "base", 1),)
    assert document.value["other"] == {"x": 2}
    assert document.lines.of(("other", "x")) == 5


def test_keys_that_are_no_text_have_lines_too() -> None:
    (document,) = read_documents("a:\n  2020: x\n  true: y\n")
    assert document.lines.of(("a", 2020), key=True) == 2


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "flow sequence"),
        ("a: 1\n\tb: 2\n", 2, "cannot start any token"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "could not determine a constructor"),
        ("a: 1\nb: 2026-13-45\n", 2, "month must be in 1..12"),
        ("a: 1\nb: *nobody\n", 2, "undefined alias"),
        ("a: 1\nb: &b [*b]\n", 2, "a node that contains it"),
        ("a: 1\nb: {[x]: 1}\n", 2, "unhashable"),
        ("a: \x00", 1, "special characters"),
        ("[" * 5000, 1, "deeply"),
    ],
)
def test_what_is_no_yaml_says_where(text: str, line: int, words: str) -> None:
    with pytest.raises(DocumentError, match=words) as caught:
        read_documents(text)
    assert caught.value.line == line


def test_aliases_that_blow_up_are_refused() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for i in range(1, 9):
        text += f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n"
    with pytest.raises(DocumentError, match=str(MAX_VALUES)):
        read_documents(text)
