"""Collects the requirements of one format that a file does not meet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from spatial_pipeline.model.conformance import FormatEvidence, FormatFinding

MAX_OF_A_CODE = 20
"""Findings of one requirement that are kept; the last one says how many more there are."""

MAX_TEXT = 300
"""Characters of a finding that are kept: names in a file may be of any length."""


@dataclass
class Judge:
    """Findings about one file.

    Attributes:
        format: name of the format.
        requirements: codes by the document that makes them.
        recommended: codes that are recommendations.

    """

    format: str
    requirements: Mapping[str, tuple[str, ...]]
    recommended: frozenset[str] = frozenset()
    _found: list[tuple[str, str]] = field(default_factory=list)
    _count: Counter[str] = field(default_factory=Counter)

    def fail(self, code: str, reason: str) -> None:
        """Adds a finding; ``code`` is one of the requirements."""
        reason = reason if len(reason) <= MAX_TEXT else f"{reason[:MAX_TEXT]}…"
        if (code, reason) in self._found:
            return
        self._count[code] += 1
        if self._count[code] <= MAX_OF_A_CODE:
            self._found.append((code, reason))

    def expect(self, code: str, holds: bool, reason: str) -> bool:
        """Adds a finding unless the requirement holds; returns whether it does."""
        if not holds:
            self.fail(code, reason)
        return holds

    def add(self, other: Judge) -> None:
        """Adds the findings of another one about the same file."""
        for code, reason in other._found:
            self.fail(code, reason)
        self._count.update(
            {c: n - sum(k == c for k, _ in other._found) for c, n in other._count.items()}
        )

    def clean(self, *codes: str) -> bool:
        """True when nothing was found against these requirements."""
        return not any(self._count[c] for c in codes)

    def evidence(self) -> FormatEvidence:
        """All findings, in the order of the requirements."""
        findings: list[FormatFinding] = []
        for standard, codes in self.requirements.items():
            for code in codes:
                reasons = [reason for c, reason in self._found if c == code]
                more = self._count[code] - len(reasons)
                reasons += [f"and {more} more"] if more else []
                findings += [
                    FormatFinding(code, r, standard, code in self.recommended) for r in reasons
                ]
        return FormatEvidence(self.format, dict(self.requirements), tuple(findings))
