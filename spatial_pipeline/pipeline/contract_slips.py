"""Mistakes of a contract that only the data reveal: misspelt columns, layers and files.

What the data lack without a similar name is a fault of the data, and a result of the check.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from spatial_pipeline.contract.errors import Mistake
from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.spelling import closest
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.profile import Profile, VectorProfile
from spatial_pipeline.model.result import Result

SIMILAR = "did you mean"
MISSING = "does not exist"
LAYER = ("no layer ", "name one of them as layer")
NOT_SQL = "Parser Error: "
UNKNOWN_COLUMN = re.compile(r'Referenced column "([^"]+)" not found')


def contract_slips(
    contract: Contract, profile: Profile, results: Iterable[Result] = ()
) -> list[Mistake]:
    """The mistakes, with their lines.

    Args:
        contract: the contract.
        profile: profile of the version that was staged of its source.
        results: results of its rules.

    """
    if profile.error is not None:
        return list(_of_source(contract, profile.error))
    if not isinstance(profile, VectorProfile):
        return []
    columns = [c.name for c in profile.columns]
    return [*contract.column_mistakes(columns), *_of_sql(contract, columns, results)]


def _of_sql(
    contract: Contract, columns: Sequence[str], results: Iterable[Result]
) -> Iterator[Mistake]:
    """Conditions that are not SQL, and columns in them that are spelt otherwise in the data."""
    for result in results:
        if result.status is not Status.ERROR:
            continue
        unknown = UNKNOWN_COLUMN.search(result.message)
        hint = "" if unknown is None else closest(unknown[1], columns).hint
        if NOT_SQL in result.message or hint:
            line = None if contract.path is None else contract.line_of(result.name)
            yield Mistake(contract.path, line, f"{result.name}: {result.message.rstrip('!')}{hint}")


def _of_source(contract: Contract, error: str) -> Iterator[Mistake]:
    """Readers suggest a name where there is a similar one: then the name is to blame."""
    if any(words in error for words in LAYER):
        yield contract.source_mistake("layer", error)
    elif MISSING in error and SIMILAR in error and "{partition}" not in contract.source.uri:
        yield contract.source_mistake("uri", error)
