"""One line about what holds a version: how many rules fail, which ones, how often."""

from __future__ import annotations

from collections.abc import Sequence

from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.result import Result

RULES = 8
"""Rules that are named; the others are counted."""


def held_line(results: Sequence[Result], reasons: Sequence[str] = ()) -> str:
    """``held: 2 rules fail: must_not_overlap (12), unique (error); 1 other reason``.

    Args:
        results: results of the version; those that block are named, most violations first.
        reasons: reasons of the gate. Those that are not about one of these rules are counted; the
            first one is quoted when no rule fails.

    """
    failing = sorted((r for r in results if r.blocks), key=lambda r: (-r.violations, r.name))
    about = tuple(f"{r.name}: " for r in failing)
    others = [reason for reason in reasons if not reason.startswith(about)]
    if not failing:
        more = f" (and {_counted(len(others) - 1, 'other reason')})" if others[1:] else ""
        return f"held: {others[0]}{more}" if others else "held"
    named = [_named(r) for r in failing[:RULES]]
    named += [f"{len(failing) - RULES} more"] if failing[RULES:] else []
    text = f"held: {_counted(len(failing), 'rule')} fail{'s' * (len(failing) == 1)}"
    text += f": {', '.join(named)}"
    return text + (f"; {_counted(len(others), 'other reason')}" if others else "")


def _named(result: Result) -> str:
    if result.status is not Status.FAILED:
        return f"{result.name} ({result.status.value})"
    return f"{result.name} ({result.violations:,})" if result.violations else result.name


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
