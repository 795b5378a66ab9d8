"""Alert context from the store: problems of stored verdicts, and maps for messages."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray

from spatial_pipeline.alert.channels import AppriseChannel, channels
from spatial_pipeline.alert.incidents import IncidentChange, What
from spatial_pipeline.alert.message import Attachment, Exhibit, Links, Message, compose, when
from spatial_pipeline.alert.problems import Key, Kind, Problem, of_result
from spatial_pipeline.contract.vocabulary import Family, Severity, Status
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.result import Result, Verdict
from spatial_pipeline.model.version import Version
from spatial_pipeline.model.violation import Violation
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.checked import Checked, context_of
from spatial_pipeline.report.drawing import Drawing, draw
from spatial_pipeline.report.violation_export import write_geopackage
from spatial_pipeline.report.violations import with_version
from spatial_pipeline.runtime.temporary import temporary_folder
from spatial_pipeline.settings import Settings
from spatial_pipeline.store.versions import Store

logger = logging.getLogger("spatial_pipeline")
MOST_TRIED = 3
"""Rules of which a map is tried, until one has a place."""
MOST_ATTACHED_BYTES = 2 << 20
"""Largest file that goes with a message."""
MOST_DRAWN = 300
"""Defects on the map of an alert."""
MOST_UNDER = 2000
MOST_UNDER_BYTES = 16 << 20
"""Features, and bytes of a file, drawn under violations; above it only the extent is drawn."""


def channels_of(settings: Settings) -> list[AppriseChannel]:
    """The channels of the environment.

    Raises:
        ContractError: ``SPATIAL_ALERT_URLS`` is wrong.

    """
    return channels(None if settings.alert_urls is None else settings.alert_urls.get_secret_value())


def fact_of(
    store: Store,
    version: Version,
    name: str,
    run_id: str | None = None,
    owners: tuple[str, ...] = (),
    verdict: Verdict | None = None,
) -> Problem | None:
    """The problem of one rule in a stored verdict; None when it passed or is missing.

    Args:
        store: the store.
        version: the version that was checked.
        name: name of the check.
        run_id: Dagster run in which it was checked.
        owners: owners of the asset.
        verdict: the verdict beside the version, when it was read already.

    """
    verdict = verdict or store.verdict(version)
    for result in () if verdict is None else verdict.results:
        if result.name == name:
            layer = str(store.path(version) / "violations.parquet")
            return of_result(version, result, layer=layer, run_id=run_id, owners=owners)
    return None


def exhibit_of(store: Store, problems: Sequence[Problem], key: Key) -> Exhibit:
    """Store data for a message about one place: the published version, a map, the violations.

    Args:
        store: the store.
        problems: the open problems of the place; none when everything is right again.
        key: dataset and partition.

    """
    failing = [p for p in problems if p.key.kind is Kind.RULE and p.violations]
    pictures = (picture_of(store, p) for p in failing[:MOST_TRIED])
    return Exhibit(
        readers_of(store, key),
        next((p for p in pictures if p is not None), None),
        violations_of(store, failing),
    )


def readers_of(store: Store, key: Key) -> str | None:
    """Version that readers of a partition see, with its time; None if it is not in the store."""
    if key.kind is Kind.CHANNEL or key.dataset not in store.datasets():
        return None
    try:
        publication = store.published(key.dataset, key.partition)
    except StoreError as exc:
        return str(exc)
    if publication is None:
        return "nothing yet"
    try:
        since = when(datetime.fromisoformat(publication.published_at).timestamp())
    except ValueError:
        return f"version {publication.version}"
    return f"version {publication.version}, since {since} UTC"


def violations_of(store: Store, failing: Sequence[Problem]) -> Attachment | None:
    """The violations of a version as a GeoPackage; None when there are none, or too many."""
    for problem in failing:
        if problem.version is None:
            continue
        version = Version(problem.key.dataset, problem.key.partition, problem.version)
        layer = store.path(version) / "violations.parquet"
        if not layer.is_file() or layer.stat().st_size > MOST_ATTACHED_BYTES:
            continue
        table = pq.read_table(layer)
        if not len(table):
            continue
        with temporary_folder() as folder:
            path = folder / "violations.gpkg"
            write_geopackage(with_version(table, version), path)
            if path.stat().st_size <= MOST_ATTACHED_BYTES:
                name = "".join(c if c.isalnum() else "_" for c in str(version).partition("@")[0])
                return Attachment(f"{name}_violations.gpkg", path.read_bytes())
    return None


def picture_of(store: Store, fact: Problem) -> bytes | None:
    """The map of a problem's violations; None without geometries or without the version."""
    if fact.key.kind is not Kind.RULE or not fact.violations or fact.version is None:
        return None
    version = Version(fact.key.dataset, fact.key.partition, fact.version)
    verdict = store.verdict(version)
    layer = store.path(version) / "violations.parquet"
    found = [r for r in (() if verdict is None else verdict.results) if r.name == fact.key.name]
    if not found or not layer.is_file():
        return None
    table = pq.read_table(
        layer, filters=pc.field("name") == fact.key.name, columns=["reason", "geometry"]
    ).slice(0, MOST_DRAWN)
    shapes = np.asarray(shapely.from_wkb(table["geometry"].to_pylist()), dtype=object)
    reasons = np.asarray(table["reason"].to_pylist(), dtype=object)
    violations = Violations.build(np.full(len(table), -1), reasons, shapes)
    checked = Checked(
        version.dataset,
        version.partition,
        version.id,
        ((found[0], violations),),
        store.profile(version),
        _under(store, version),
    )
    drawing = draw(checked) if len(violations) else None
    if drawing is None or not drawing.defects:
        return None
    return _png(drawing, f"{fact.key.title}: {fact.key.name}")


def _under(store: Store, version: Version) -> NDArray[Any] | None:
    """The features of a small dataset; reading a large one takes too long for a picture."""
    profile = store.profile(version)
    if not isinstance(profile, VectorProfile) or profile.count > MOST_UNDER:
        return None
    if store.data_path(version).stat().st_size > MOST_UNDER_BYTES:
        return None
    return context_of(store.open(version), MOST_UNDER)


def sample(links: Links) -> Message:
    """A sample message."""
    violation = Violation((("4711",), ("4712",)), "overlap", (1603607.55, 6463658.73), 0.0107, "m²")
    fact = Problem(
        key=Key("sample", "2026-01", Kind.RULE, "must_not_overlap"),
        severity=Severity.ERROR,
        summary="this is a sample: 15 overlaps, largest 0.0577 m²; nothing is wrong",
        violations=15,
        checked=407,
        sample=(violation,),
        version="0123456789abcdef0123",
        run_id="00000000-0000-0000-0000-000000000000",
        asset="sample/staged",
    )
    now = datetime.now(UTC).timestamp()
    identity = f"sample-{int(now)}"
    change = IncidentChange(What.OPENED, identity, 1, fact, now, now)
    return compose(change.id, [change], links, Exhibit(picture=_sample_picture()))


def _sample_picture() -> bytes | None:
    violations = Violations.build([0], "overlap", np.array([shapely.box(40, 40, 60, 60)], object))
    result = Result(
        "must_not_overlap", "must_not_overlap", "", Family.TOPOLOGY, Severity.ERROR, Status.FAILED
    )
    context = np.array([shapely.box(0, 0, 60, 60), shapely.box(40, 40, 100, 100)], object)
    profile = VectorProfile("sample", bounds=(0.0, 0.0, 100.0, 100.0))
    drawing = draw(Checked("sample", None, None, ((result, violations),), profile, context))
    return None if drawing is None else _png(drawing, "sample: must_not_overlap")


def _png(drawing: Drawing, title: str) -> bytes | None:
    """The drawing as PNG; None without matplotlib, which the extra ``maps`` installs."""
    # It takes seconds to load: ticks without a map do not import it.
    try:
        from spatial_pipeline.report.picture import png
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.partition(".")[0] != "matplotlib":
            raise
        logger.info("messages have no map: pip install 'spatial_pipeline[maps]'")
        return None
    return png(drawing, title)
