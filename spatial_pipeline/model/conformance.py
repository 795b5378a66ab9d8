"""Evidence of how far a file obeys the specification of its format, gathered where it is read.

Rules read no files, so ingest judges every requirement that it can and keeps the findings in the
profile; ``format_conformance`` decides which of them count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class FormatFinding:
    """One requirement that a file does not meet.

    Attributes:
        code: name of the requirement as users of the format know it: ``Req 77``, ``RQ9``.
        reason: what is wrong, in words.
        standard: document that makes the requirement.
        recommended: True for a recommendation.

    """

    code: str
    reason: str
    standard: str
    recommended: bool = False


@dataclass(frozen=True, slots=True)
class FormatEvidence:
    """Requirements of a format that were judged, and those that are not met.

    Attributes:
        format: name of the format.
        codes: codes of all requirements that were judged, by document.
        findings: in the order of the requirements.

    """

    format: str
    codes: dict[str, tuple[str, ...]]
    findings: tuple[FormatFinding, ...] = ()

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The evidence that ``dataclasses.asdict`` wrote."""
        return cls(
            format=value["format"],
            codes={name: tuple(codes) for name, codes in value["codes"].items()},
            findings=tuple(FormatFinding(**f) for f in value["findings"]),
        )
