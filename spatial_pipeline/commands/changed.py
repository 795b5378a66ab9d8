"""From changed files to the contracts that they concern: ``check --changed``, for hooks and CI."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from spatial_pipeline.contract.load import ENDINGS, find, is_contract
from spatial_pipeline.contract.yaml_positions import DocumentError, read_documents
from spatial_pipeline.errors import ContractError

PARTITION = "{partition}"


def concerned(files: Iterable[Path], root: Path) -> list[Path]:
    """Contracts among the files, and those below a folder that read one of the files.

    Contracts need not be right. Files that no contract reads are left out.

    Args:
        files: changed files; those that were deleted are left out.
        root: folder in which contracts are searched.

    """
    changed = [f for f in files if f.is_file()]
    found = [f for f in changed if f.suffix in ENDINGS and is_contract(f)]
    data = [f.resolve() for f in changed if f not in found]
    try:
        contracts = find([root]) if data else []
    except ContractError:
        contracts = []
    reading = [c for c in contracts if any(_reads(c, f) for f in data)]
    return list({c.resolve(): c for c in (*found, *reading)}.values())


def _reads(contract: Path, file: Path) -> bool:
    """True when a source or a comparison of the contract is the file, or a sidecar of it."""
    for uri in _uris(contract):
        path = contract.resolve().parent / uri.partition("!")[0]
        stem = re.escape(str(path.with_suffix(""))).replace(re.escape(PARTITION), ".+")
        if re.fullmatch(rf"{stem}(\.[^/]+)?", str(file)):
            return True
    return False


def _uris(contract: Path) -> Iterator[str]:
    try:
        documents = read_documents(contract.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, DocumentError):
        return
    todo = [d.value for d in documents]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            uri = value.get("uri")
            if isinstance(uri, str) and "://" not in uri:
                yield uri
            todo += value.values()
        elif isinstance(value, list):
            todo += value
