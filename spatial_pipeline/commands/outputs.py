"""Output files of ``spatial-pipeline check``, beside what it prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from spatial_pipeline.runtime.json_text import json_text

if TYPE_CHECKING:
    import pyarrow as pa

    from spatial_pipeline.contract.models import Contract
    from spatial_pipeline.pipeline.pipeline import Pipeline
    from spatial_pipeline.report.checked import Checked


@dataclass(frozen=True)
class Outputs:
    """Files to write; None skips a file.

    Attributes:
        html: page with results and maps.
        violations: layer of all violations.
        junit: results as JUnit XML.
        sarif: results as SARIF 2.1.0.
        quarantine: layer of the features in violations of blocking rules.
        proposals: layer of features as they could be repaired.
        iso19157: results as ISO 19157 data quality; of several datasets, a file each.

    """

    html: Path | None = None
    violations: Path | None = None
    junit: Path | None = None
    sarif: Path | None = None
    quarantine: Path | None = None
    proposals: Path | None = None
    iso19157: Path | None = None

    def mistake(self) -> str:
        """Reason why an output file cannot be written as requested; empty when all can."""
        layers = (self.violations, self.quarantine, self.proposals)
        for path in (self.html, self.junit, self.sarif, self.iso19157, *layers):
            if path is not None and not path.absolute().parent.is_dir():
                return f"{path}: the folder {path.parent} does not exist"
        if not any(layers):
            return ""
        from spatial_pipeline.report.violation_export import LAYERS, TABLES

        formats = (
            (self.violations, (*LAYERS, *TABLES)),
            (self.quarantine, LAYERS),
            (self.proposals, LAYERS),
        )
        for path, suffixes in formats:
            if path is not None and path.suffix.lower() not in suffixes:
                return f"{path}: unknown format; the file name must end in {', '.join(suffixes)}"
        return ""

    def write(
        self, pipeline: Pipeline, contracts: Sequence[Contract], checked: Sequence[Checked]
    ) -> Iterator[str]:
        """Writes the files and reports their paths.

        Args:
            pipeline: the project.
            contracts: one for each of ``checked``.
            checked: results of the check.

        Raises:
            OSError: a file cannot be written.
            SpatialPipelineError: a version cannot be read.

        """
        if self.violations is not None:
            from spatial_pipeline.pipeline.batch_check import export_violations

            for file in export_violations(checked, self.violations):
                yield f"violations: {file}"
        if self.html is not None:
            from spatial_pipeline.report.html import page

            made_at = datetime.now(UTC).isoformat(timespec="seconds")
            self.html.write_text(page(checked, made_at), encoding="utf-8")
            yield f"report: {self.html}"
        if self.junit is not None:
            from spatial_pipeline.report.junit import junit_xml

            self.junit.write_bytes(junit_xml(checked))
            yield f"junit: {self.junit}"
        if self.sarif is not None:
            from spatial_pipeline.report.sarif import sarif

            log = json_text(sarif(contracts, checked), indent=1)
            self.sarif.write_text(log + "\n", encoding="utf-8")
            yield f"sarif: {self.sarif}"
        if self.iso19157 is not None:
            yield from (f"iso19157: {f}" for f in _write_iso19157(checked, self.iso19157))
        if self.quarantine is not None:
            from spatial_pipeline.report import quarantine

            files = quarantine.export(list(_quarantined(pipeline, checked)), self.quarantine)
            yield from (f"quarantine: {f}" for f in files)
        if self.proposals is not None:
            from spatial_pipeline.pipeline.proposals import export_proposals

            written = export_proposals(pipeline, contracts, checked, self.proposals)
            yield from (f"proposals: {f}" for f in written)


def _write_iso19157(checked: Sequence[Checked], path: Path) -> Iterator[Path]:
    from spatial_pipeline.report.iso19157 import data_quality_xml

    checked_at = datetime.now(UTC).isoformat(timespec="seconds")
    for one in checked:
        # A document of ISO 19157 describes one dataset.
        file = path if len(checked) == 1 else path.with_stem(f"{path.stem}-{_file_name(one)}")
        file.write_bytes(data_quality_xml(one.title, one.version, one.results, checked_at))
        yield file


def _file_name(checked: Checked) -> str:
    key = checked.partition
    return checked.dataset if key is None else f"{checked.dataset}-{quote(key, safe='')}"


def _quarantined(pipeline: Pipeline, checked: Sequence[Checked]) -> Iterator[tuple[str, pa.Table]]:
    """Title and table of each vector dataset with quarantined features."""
    import numpy as np

    from spatial_pipeline.model.profile import VectorProfile
    from spatial_pipeline.model.version import Version
    from spatial_pipeline.report import quarantine
    from spatial_pipeline.store.staged import StagedVector

    for one in checked:
        reasons = quarantine.named_rows(one)
        if not reasons or one.version is None or not isinstance(one.profile, VectorProfile):
            continue
        data = pipeline.store.open(Version(one.dataset, one.partition, one.version))
        if isinstance(data, StagedVector):
            rows = np.fromiter(reasons, dtype=np.int64)
            names = [c.name for c in one.profile.columns]
            batch = data.take(data.rows_to_positions(rows), names)
            yield one.title, quarantine.to_table(batch, reasons, one.profile)
