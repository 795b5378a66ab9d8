"""Every error that this package raises on purpose, and nothing else."""

from __future__ import annotations


class SpatialPipelineError(Exception):
    """Base of every error that a user of this package can cause or cure."""


class ContractError(SpatialPipelineError):
    """A contract file has mistakes; the message holds one line for each of them."""


class SourceError(SpatialPipelineError):
    """A source is missing, unreadable, refused or damaged."""


class SourceUnreachableError(SourceError):
    """The server of a source does not answer, so nothing is known of the source."""


class ReaderFailedError(SpatialPipelineError):
    """The process that read a source died, ran out of time or memory, or was refused something.

    Nothing is staged under the name of the content, so the next run tries again.
    """


class SourceLostError(SpatialPipelineError):
    """A source was lost while it was read; nothing was staged, and the next run reads it again."""


class GivenUpError(SpatialPipelineError):
    """Work was given up half way because its time was up or its run was cancelled."""


class StoreError(SpatialPipelineError):
    """The store cannot be read or written, or holds what no run of ours writes."""


class NotPublishedError(StoreError):
    """A dataset has no published version yet."""


class NotCurrentError(StoreError):
    """The newest delivery of a dataset is not what is published: it is held or on its way."""


class GateClosedError(SpatialPipelineError):
    """A version may not be published; ``reasons`` holds every reason."""

    def __init__(self, message: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.reasons = reasons


class RuleError(SpatialPipelineError):
    """A rule cannot be evaluated on this data; the message says why and what would help."""


class ClusterError(SpatialPipelineError):
    """Other machines were asked for and cannot help; the message says why and the way out."""
