from __future__ import annotations

from io import StringIO

from rich.console import Console, RenderableType

from spatial_pipeline.contract.vocabulary import Severity, Status
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.summary import (
    Ran,
    check_summary,
    datasets_table,
    results_table,
    run_table,
)
from spatial_pipeline_tests.report.cases import PASSED, checked, result


def text(renderable: RenderableType, width: int = 200) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_results_say_how_each_rule_ended() -> None:
    shown = text(results_table(checked()))
    assert "counties: held" in shown
    assert "overlaps" in shown
    assert "6 overlaps" in shown


def test_markup_in_names_and_messages_is_text() -> None:
    odd = result("x[red]", message="[/bold] [link=x]")
    shown = text(results_table(checked("a[b]", evaluations=((odd, Violations.none()),))))
    assert "[/bold] [link=x]" in shown
    assert "a[b]: held" in shown


def test_datasets_say_which_rules_block() -> None:
    warned = result("gaps", severity=Severity.WARN)
    stopped = result("late", status=Status.TIMEOUT)
    rows = [
        checked("a", evaluations=((PASSED, Violations.none()),)),
        checked("b", evaluations=((warned, Violations.none()), (stopped, Violations.none()))),
        checked("c", evaluations=((warned, Violations.none()),), version=None),
    ]
    lines = text(datasets_table(rows)).splitlines()[2:]
    assert [line.split("│")[2].strip() for line in lines] == ["passed", "held", "passed"]
    assert lines[1].endswith(
        "late (timeout); warnings: gaps".ljust(len(lines[1].split("│")[3]) - 1)
    )
    assert "warnings: gaps" in lines[2]


def test_the_summary_of_several_ends_with_the_verdicts() -> None:
    assert "Why" not in text(check_summary([checked()]))
    assert "Why" in text(check_summary([checked("a"), checked("b")]))


def test_a_run_says_what_readers_see_and_why() -> None:
    warned = result("inside", severity=Severity.WARN, message="2 of 3 violate")
    shown = text(
        run_table(
            [
                Ran("a", "v2", "published", "v2", (PASSED, warned), ()),
                Ran("b[n]", "v3", "held", "v1", (result("gaps"),), ("gaps: failed", "x")),
                Ran("c", None, "failed", None, (), ("cannot stage",)),
            ]
        )
    )
    cells = [[c.strip() for c in line.split("│")] for line in shown.splitlines()]
    assert ["a", "v2", "1", "1", "published", "this version"] in [c[:6] for c in cells]
    assert ["b[n]", "v3", "0", "1", "held", "v1"] in [c[:6] for c in cells]
    assert ["c", "none", "0", "0", "failed", "nothing", "cannot stage"] in cells
    assert "gaps: failed" in shown
    assert "warning: inside: 2 of 3 violate" in shown


def test_narrow_terminals_lose_no_text() -> None:
    shown = text(results_table(checked()), width=40)
    assert "".join("".join(line.split("│")[-1].split()) for line in shown.splitlines()).count(
        "6overlaps"
    ) == 1  # fmt: skip
