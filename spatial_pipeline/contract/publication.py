"""Publication outside the store: table and geometry column in PostGIS."""

from __future__ import annotations

from pydantic import Field, StrictBool, field_validator

from spatial_pipeline.contract.geometry_type import GeometryType, GeometryTypeName
from spatial_pipeline.contract.rules.base import ContractModel
from spatial_pipeline.contract.table_name import TableName

MAX_SRID = 998_999
"""Largest number of spatial_ref_sys (PostGIS' SRID_USER_MAXIMUM)."""


class GeometryColumn(ContractModel):
    """Geometry column of the published table; defaults come from source, table and data."""

    type: GeometryTypeName | None = Field(
        None, description="Type and dimensions, spelt as in PostGIS: MultiPolygonZ."
    )
    srid: int | None = Field(
        None,
        ge=1,
        le=MAX_SRID,
        description="SRID in spatial_ref_sys; added with the CRS of the source if it is free.",
    )
    nullable: StrictBool | None = Field(
        None, description="false: the column is NOT NULL, and a version with nulls is refused."
    )

    @property
    def parsed(self) -> GeometryType | None:
        """The type as a value."""
        return None if self.type is None else GeometryType.parse(self.type)


class Publish(ContractModel):
    """Publication outside the store: a table in PostGIS."""

    table: str = Field(
        description="Table in the database of SPATIAL_DATABASE_URL: schema.table, case-sensitive. "
        'Names that contain a dot or a quote need double quotes: "my.schema".t.'
    )
    geometry: GeometryTypeName | GeometryColumn | None = Field(
        None,
        description="Geometry column: a type such as MultiPolygonZ, or {type: MultiPolygonZ, "
        "srid: 25832, nullable: false}. Single geometries are promoted to Multi types.",
    )

    @field_validator("table")
    @classmethod
    def _named(cls, value: str) -> str:
        TableName.parse(value)
        return value

    @property
    def table_name(self) -> TableName:
        """Schema and table."""
        return TableName.parse(self.table)

    @property
    def geometry_column(self) -> GeometryColumn:
        """Declared geometry column."""
        if isinstance(self.geometry, str):
            return GeometryColumn(type=self.geometry)
        return self.geometry or GeometryColumn()
