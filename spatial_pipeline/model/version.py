"""Versions of a dataset: staged, held and published."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable staged version and its address.

    Attributes:
        dataset: name of the dataset.
        partition: partition key, None for an unpartitioned dataset.
        id: content name: hash of source bytes, ingest options and ingest code.

    """

    dataset: str
    partition: str | None
    id: str

    def __str__(self) -> str:
        partition = "" if self.partition is None else f"[{self.partition}]"
        return f"{self.dataset}{partition}@{self.id}"


@dataclass(frozen=True)
class Staging:
    """The latest staging of a partition and the fingerprints it was made under.

    Attributes:
        version: id of the version.
        ingest: fingerprint of the source options and the ingest code; None when it is not known.
        seen: token of the source's state; None when it cannot be determined.

    """

    version: str
    ingest: str | None = None
    seen: str | None = None


@dataclass(frozen=True)
class Publication:
    """The published pointer of one partition.

    Attributes:
        version: version that readers see.
        contract_hash: hash of the rules that it passed.
        published_at: ISO 8601 time in UTC.
        history: versions published before, latest first.
        withdrawn: versions taken back by a rollback; the gate refuses them.
        number: counts the changes of the pointer. Of two pointers to one partition, one in the
            store and one in the database, the later one has the greater number; clocks may be set
            back.

    """

    version: str
    contract_hash: str
    published_at: str
    history: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    number: int = 0
