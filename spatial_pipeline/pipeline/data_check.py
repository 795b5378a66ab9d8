"""Checks data frames and files against rules, without a contract file: the Python API.

Nothing is kept: the data are staged in a temporary folder that goes when the check ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeAlias

from spatial_pipeline.contract.database_url import is_database
from spatial_pipeline.contract.errors import AttributePlace, raise_all
from spatial_pipeline.contract.models import Contract, RasterContract, VectorContract
from spatial_pipeline.contract.rule_file import RASTERS, URI, contract_for
from spatial_pipeline.contract.validate import judge
from spatial_pipeline.errors import ContractError
from spatial_pipeline.model.result import Result
from spatial_pipeline.report.checked import Checked
from spatial_pipeline.runtime.event_loop import run_sync
from spatial_pipeline.runtime.temporary import TemporaryFolder

if TYPE_CHECKING:
    import geopandas

Data: TypeAlias = "str | Path | geopandas.GeoDataFrame"
Rules: TypeAlias = str | Path | Sequence[str | Mapping[str, Any]]
NAME = "data"
"""Name of the dataset in reports."""


@dataclass(frozen=True, repr=False)
class CheckReport:
    """Result of a check.

    Attributes:
        checked: results, violations and background of the map, as report formats take them.
        checked_at: ISO 8601 time in UTC.

    """

    checked: Checked
    checked_at: str

    @property
    def passed(self) -> bool:
        """True when no rule of severity ``error`` failed."""
        return self.checked.passed

    @property
    def results(self) -> tuple[Result, ...]:
        """One result for each rule, in order."""
        return self.checked.results

    @cached_property
    def violations(self) -> geopandas.GeoDataFrame:
        """All violations with their geometries, in the CRS of the data: one row each."""
        import geopandas

        from spatial_pipeline.report.violations import to_table

        profile = self.checked.profile
        crs = None if profile is None else profile.pyproj_crs
        table = to_table(self.checked.evaluations, crs)
        shapes = geopandas.array.from_wkb(table["geometry"].to_pylist(), crs=crs)
        return geopandas.GeoDataFrame(table.drop("geometry").to_pandas(), geometry=shapes)

    def to_html(self, path: str | Path | None = None) -> str:
        """The report as one HTML page with an interactive map.

        Args:
            path: file to write, too.

        Raises:
            OSError: the file cannot be written.

        """
        from spatial_pipeline.report.html import page

        text = page([self.checked], self.checked_at)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def __repr__(self) -> str:
        failed = [r for r in self.results if not r.passed]
        verdict = "passed" if self.passed else "failed"
        said = f"<CheckReport: {verdict}, {len(self.results)} rules"
        if failed:
            said += ", not passed: " + ", ".join(f"{r.name} ({r.violations})" for r in failed)
        return f"{said}>"

    def _repr_html_(self) -> str:
        """A small page for notebooks: results and a map, without script."""
        from spatial_pipeline.report.notebook import notebook_html

        return notebook_html(self.checked)


def check(
    data: Data, rules: Rules, *, key: Sequence[str] | str = (), layer: str | None = None
) -> CheckReport:
    """Checks data against rules, as a contract would judge them.

    Blocks while it runs, also under a running event loop (notebooks); asynchronous code awaits
    :func:`check_async`.

    Args:
        data: a GeoDataFrame or DataFrame (its index is left out), or the path or URI of a source;
            the URI of a database is ``postgresql://…``, or ``postgresql:`` for that of
            SPATIAL_DATABASE_URL.
        rules: rules as in a contract, a string for a rule without parameters; or the path of a YAML
            file with rules.
        key: columns that identify a feature.
        layer: layer of a file, or ``schema.table`` of a database, where there are several.

    Raises:
        ContractError: the rules have mistakes, or name columns that the data spell otherwise; one
            line for each.
        TypeError: ``data`` is no data.

    """
    return run_sync(check_async(data, rules, key=key, layer=layer), slow=None)


async def check_async(
    data: Data,
    rules: Rules,
    *,
    key: Sequence[str] | str = (),
    layer: str | None = None,
    scene: bool = True,
) -> CheckReport:
    """:func:`check` for asynchronous code; the loop stays free.

    Args:
        data: see :func:`check`.
        rules: see :func:`check`.
        key: see :func:`check`.
        layer: see :func:`check`.
        scene: load what maps show around violations.

    """
    from spatial_pipeline.pipeline.batch_check import check_all
    from spatial_pipeline.pipeline.pipeline import Pipeline
    from spatial_pipeline.settings import Settings
    from spatial_pipeline.store.versions import Store

    keys = (key,) if isinstance(key, str) else tuple(key)
    _refuse_no_data(data)
    folder = await asyncio.to_thread(TemporaryFolder)
    try:
        uri = str(data) if isinstance(data, (str, Path)) else str(folder.path / "data.parquet")
        contract = await asyncio.to_thread(_contract, uri, rules, keys, layer)
        if not isinstance(data, (str, Path)):
            await asyncio.to_thread(_write, data, uri)
        address = Settings().database_url
        pipeline = Pipeline(
            {contract.name: contract},
            Store(folder.path / "store"),
            database_url=None if address is None else address.get_secret_value(),
        )
        (checked,) = await check_all(pipeline, [(contract, None)], None, context=scene)
    finally:
        await asyncio.to_thread(folder.remove)
    if checked.mistakes:
        raise ContractError("\n".join(checked.mistakes))
    return CheckReport(checked, datetime.now(UTC).isoformat(timespec="seconds"))


def _contract(uri: str, rules: Rules, key: tuple[str, ...], layer: str | None) -> Contract:
    """The contract that a file would declare.

    Raises:
        ContractError: there are mistakes; one line for each.

    """
    if isinstance(rules, (str, Path)):
        contract = contract_for(uri, Path(rules), layer)
        return contract.model_copy(update={"key": key}) if key else contract
    written = [{"rule": r} if isinstance(r, str) else dict(r) for r in rules]
    absolute = uri if URI.match(uri) or is_database(uri) else str(Path(uri).absolute())
    attributes: dict[str, Any] = {"name": NAME, "source": {"uri": absolute}, "rules": written}
    if layer is not None:
        attributes["source"]["layer"] = layer
    suffix = PurePosixPath(uri.split("?")[0]).suffix.lower()
    raster = suffix in RASTERS and not is_database(uri)
    if not raster and key:
        attributes["key"] = list(key)
    model = RasterContract if raster else VectorContract
    judged, mistakes = judge(model.type_name, attributes, AttributePlace())
    raise_all(mistakes)
    assert judged is not None
    return judged


def _refuse_no_data(data: Any) -> None:
    if isinstance(data, (str, Path)):
        return
    expected = "expected a GeoDataFrame, a DataFrame, or the path or URI of a file or database"
    if not hasattr(data, "to_parquet"):
        msg = f"{type(data).__name__} cannot be checked: {expected}"
        raise TypeError(msg)
    # A GeoDataFrame without a geometry column raises only when it is used.
    if hasattr(data, "set_geometry") and getattr(data, "_geometry_column_name", "") is None:
        msg = "the GeoDataFrame has no active geometry column: call set_geometry first"
        raise TypeError(msg)


def _write(frame: Any, path: str) -> None:
    try:
        frame.to_parquet(path, index=False)
    except (ValueError, TypeError, NotImplementedError) as exc:
        # pyarrow's and geopandas' reasons name the column.
        msg = f"the {type(frame).__name__} cannot be checked: {exc}"
        raise TypeError(msg) from exc
