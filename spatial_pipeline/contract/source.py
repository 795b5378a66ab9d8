"""Source of a dataset: where the data are, and which of them are read."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)

from spatial_pipeline.contract import remote_url
from spatial_pipeline.contract.database_url import is_database
from spatial_pipeline.contract.layers import layer_of, without_layer
from spatial_pipeline.contract.rules.base import DELIVERY, TIME, ContractModel
from spatial_pipeline.contract.spelling import closest
from spatial_pipeline.contract.vocabulary import INGEST_VERSION
from spatial_pipeline.runtime.hashing import fingerprint

ENCODINGS = ("utf-8", "cp1252", "iso8859-15", "iso8859-1", "utf-16", "cp850", "cp1250", "shift_jis")
"""Encodings that messages suggest; Python knows more."""


class Source(ContractModel):
    """Source of the data."""

    model_config = ConfigDict(json_schema_extra=without_layer)

    uri: str = Field(
        min_length=1,
        description="Path of a file or zip archive, relative to the contract file; "
        "package://name/path, a file in a Python package; a URL (http, https, s3, gs, az); or a "
        "database (postgresql: for SPATIAL_DATABASE_URL, postgresql://user@host/database). "
        "{partition} is replaced by the partition key.",
    )
    layer: Annotated[str | None, AfterValidator(layer_of)] = Field(
        None, description="Layer, if the source has several; of a database, schema.table."
    )
    query: str | None = Field(
        None, description="SELECT statement to read instead of a table; databases only."
    )
    where: str | None = Field(
        None, description="SQL condition (DuckDB). Only features that meet it are read."
    )

    encoding: str | None = Field(
        None,
        description="Text encoding, named as in Python (cp1252), if the file declares none or "
        "a wrong one; text formats and Shapefiles only.",
    )

    _beside: frozenset[str] = PrivateAttr(frozenset())

    @field_validator("encoding")
    @classmethod
    def _decodes(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            return codecs.lookup(value).name
        except LookupError as exc:
            near = closest(value, ENCODINGS).hint or f"; for example {', '.join(ENCODINGS[:3])}"
            msg = f"unknown encoding {value!r}{near}"
            raise ValueError(msg) from exc

    @field_validator("uri")
    @classmethod
    def _known(cls, value: str) -> str:
        return remote_url.possible(value)

    @model_validator(mode="after")
    def _readable(self) -> Source:
        if self.query is not None and not is_database(self.uri):
            msg = "a query needs a postgresql: uri"
            raise ValueError(msg)
        if self.query is not None and self.layer is not None:
            msg = "give layer or query, not both"
            raise ValueError(msg)
        return self

    @property
    def ingest_key(self) -> str:
        """Fingerprint of these options and of the ingest code: what a version depends on."""
        return fingerprint(self.model_dump(mode="json"), INGEST_VERSION, *self.beside)

    @property
    def beside(self) -> tuple[str, ...]:
        """What is part of its versions beside its content, because a rule judges it."""
        return tuple(sorted(self._beside))

    @property
    def with_delivery(self) -> bool:
        """True when the files that it came with are part of its versions."""
        return DELIVERY in self._beside

    @property
    def with_time(self) -> bool:
        """True when the time of its last change is part of its versions."""
        return TIME in self._beside

    def judged(self, beside: Iterable[str]) -> Self:
        """The source whose versions include more than its content: DELIVERY, TIME."""
        source = self.model_copy()
        source._beside = frozenset(beside)  # noqa: SLF001 - its own copy
        return source


NO_RASTER_SOURCE: Mapping[str, str] = {
    "where": "it selects features, and a raster has none",
    "query": "rasters are not read from a database",
}
"""Parameters of a source that do not apply to rasters, with the reason."""
