"""First contracts that ``dg scaffold defs`` writes: commented, and complete enough to be loaded.

Optional keys are comments that a person uncomments.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
from dagster.components.component_scaffolding import scaffold_component

from spatial_pipeline.contract.models import RasterContract, VectorContract

HEAD = """\
# Every key is explained in docs/contract.md, every rule by: spatial-pipeline rules
# Rules that your data satisfy today: spatial-pipeline profile FILE
# Check this file and its data: spatial-pipeline check defs.yaml
type: {type}
attributes:
  name: {name}
  description: ""  # one sentence for the UI
  # owners: ["team:gis"]  # team:name or e-mail addresses
"""
RUNS = """\
  # schedule: "0 3 * * *"  # cron expression: every night at three
  # timezone: Europe/Berlin  # of the schedule; UTC without it
  # watch: {{every: 5m}}  # run when the source changes
  # freshness: {{at_most: 26h}}  # alert when published data are older
  # on_schema_change: hold  # or accept_additive, backfill
  # retention: {{keep: 5, days: 90}}  # which earlier versions stay
"""
VECTOR = """\
  source:
    uri: {name}.gpkg  # relative to this file; or https:, s3:, gs:, az:, postgresql:
    # layer: {name}  # if the file has several
    # where: status = 'built'  # SQL condition: only these features are read
  # key: [id]  # columns that identify a feature in reports and comparisons
  # columns:  # meaning of columns, for the UI and the published table
  #   id: {{description: Number of the object in the register}}
  #   length: {{description: Length on the ground, unit: m}}
{runs}\
  # publish: {{table: gis.{name}}}  # table in PostGIS; needs SPATIAL_DATABASE_URL
  rules:  # severity: warn makes a rule report only
    - {{rule: crs, equals: "EPSG:4326"}}
    - {{rule: not_empty}}
    - {{rule: valid_geometry}}
    # - {{rule: geometry_type, any_of: [LineString, MultiLineString]}}
    # - {{rule: feature_count, min: 1}}
    # - {{rule: unique, columns: [id]}}
    # - {{rule: must_not_overlap, severity: warn}}
    # - {{rule: must_be_covered_by, other: {{uri: boundary.gpkg}}}}  # or {{dataset: boundary}}
"""
RASTER = """\
  source:
    uri: {name}.tif  # relative to this file; or https:, s3:, gs:, az:
{runs}\
  rules:  # severity: warn makes a rule report only
    - {{rule: crs, equals: "EPSG:4326"}}
    - {{rule: readable_pixels}}
    # - {{rule: band_count, equals: 1}}
    # - {{rule: pixel_range, min: 0, max: 9000}}
    # - {{rule: nodata_fraction, max: 0.1}}
    # - {{rule: format_conformance}}
"""


def contract_text(model: type[VectorContract] | type[RasterContract], name: str) -> str:
    """A commented contract.

    Args:
        model: kind of the dataset.
        name: name of the dataset.

    """
    body = VECTOR if model is VectorContract else RASTER
    text = HEAD + body.replace("{runs}", RUNS)
    return text.format(type=model.type_name, name=name)


class DatasetScaffolder(dg.Scaffolder[Any]):
    """Writes a first contract that a person completes."""

    model: ClassVar[type[VectorContract] | type[RasterContract]]

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Writes ``defs.yaml``, or adds a document to the file that it is asked to append to."""
        if request.scaffold_format != "yaml":
            scaffold_component(request)
        elif request.append:
            name = f"{_name(request.target_path.parent)}_2"
            with request.target_path.open("a", encoding="utf-8") as file:
                file.write(f"---\n{contract_text(self.model, name)}")
        else:
            text = contract_text(self.model, _name(request.target_path))
            (request.target_path / "defs.yaml").write_text(text, encoding="utf-8")


class VectorScaffolder(DatasetScaffolder):
    """Writes a contract of a vector dataset."""

    model = VectorContract


class RasterScaffolder(DatasetScaffolder):
    """Writes a contract of a raster dataset."""

    model = RasterContract


def _name(folder: Path) -> str:
    """Name of a dataset after a folder."""
    name = "".join(c if c.isascii() and c.isalnum() else "_" for c in folder.name)
    return f"_{name}" if name[:1].isdigit() else name
