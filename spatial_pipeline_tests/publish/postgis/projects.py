"""Datasets of points that are published to a real table."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.model.version import Version
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.settings import Settings


def contract(folder: Path, name: str = "points", **more: Any) -> VectorContract:
    """A dataset that goes to ``gis.<name>``."""
    return VectorContract.model_validate(
        {
            "name": name,
            "source": {"uri": str(folder / f"{name}.geojson")},
            "key": ["id"],
            "publish": {"table": f"gis.{name}"},
            "rules": [{"rule": "not_empty"}, {"rule": "unique", "columns": ["id"]}],
            **more,
        }
    )


def write(path: Path, count: int, mark: int = 0, *, geometry: Any = None, **columns: Any) -> None:
    """``count`` points that all carry the same mark."""
    features = [
        {
            "type": "Feature",
            "properties": {"id": i, "mark": mark, **columns},
            "geometry": geometry[i % len(geometry)]
            if geometry
            else {"type": "Point", "coordinates": [i, mark]},
        }
        for i in range(count)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


@dataclass(frozen=True)
class Project:
    """A folder of sources, a store and a database."""

    folder: Path
    dsn: str

    def settings(self, **more: Any) -> Settings:
        return Settings(store=self.folder / "store", database_url=self.dsn, **more)  # type: ignore[arg-type]

    def pipeline(self, *contracts: VectorContract, **more: Any) -> Pipeline:
        return Pipeline.of(contracts or [contract(self.folder)], self.settings(**more))

    def proven(
        self, of: VectorContract, count: int, mark: int = 0, partition: str | None = None,
        **more: Any,
    ) -> Version:  # fmt: skip
        """A version that the gate is open for; call it where no loop runs."""
        name = of.source.uri.replace("{partition}", partition or "")
        write(Path(name), count, mark, **more)
        pipeline = Pipeline.of([of], Settings(store=self.folder / "store"))
        version = pipeline.stage(of, partition)
        audit = asyncio.run(pipeline.audit(of, version))
        assert all(r.passed for r in audit.results), audit.results
        return version


async def idle_or_busy(dsn: str) -> int:
    """Sessions of ours on the server, once those that are just ending have ended."""
    connection = await asyncpg.connect(dsn)
    try:
        for _ in range(100):
            found = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'spatial_pipeline'"
            )
            if not found:
                return 0
            await asyncio.sleep(0.05)
        return int(found)
    finally:
        await connection.close()


async def stray_tables(dsn: str) -> list[str]:
    """Parts in the schema gis that are neither current nor previous."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'gis'::regnamespace"
            " AND relkind = 'r' AND relname LIKE '%\\_\\_%' AND relname NOT IN"
            " (SELECT part_name FROM spatial_pipeline.parts WHERE state <> 'obsolete')"
        )
        return [r["relname"] for r in rows]
    finally:
        await connection.close()
