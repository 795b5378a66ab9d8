"""A folder of contracts over points, and the command line over it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from click.testing import Result
from typer.testing import CliRunner

from spatial_pipeline.cli import app

MAIN = "from spatial_pipeline.cli import main; main()"


def points(ids: Iterable[int]) -> str:
    """A GeoJSON text with one point an id."""
    features = [
        {
            "type": "Feature",
            "properties": {"id": i},
            "geometry": {"type": "Point", "coordinates": [i % 180, i % 90]},
        }
        for i in ids
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


class Project:
    """Contracts with their sources, and a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "contracts"
        self.store = folder / "store"
        self.folder.mkdir()

    def contract(self, name: str, rules: Any = ({"rule": "not_empty"},), **more: Any) -> Path:
        """A contract over ``<name>.geojson``."""
        attributes = {"name": name, "source": {"uri": f"{name}.geojson"}, "rules": rules} | more
        if not isinstance(rules, list):
            attributes["rules"] = list(rules)
        value = {"type": "spatial_pipeline.VectorDataset", "attributes": attributes}
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(value, sort_keys=False))
        return path

    def source(self, name: str, ids: Iterable[int] = range(3)) -> Path:
        path = self.folder / f"{name}.geojson"
        path.write_text(points(ids))
        return path

    def dataset(self, name: str, ids: Iterable[int] = range(3), **more: Any) -> Path:
        self.source(name, ids)
        return self.contract(name, **more)

    def environment(self, **more: str | None) -> dict[str, str | None]:
        return {"SPATIAL_STORE": str(self.store), "DAGSTER_HOME": None} | more

    def call(self, *arguments: object, **environment: str | None) -> Result:
        """The command in this process."""
        runner = CliRunner()
        return runner.invoke(app, [str(a) for a in arguments], env=self.environment(**environment))

    def process(
        self, *arguments: object, before: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """The command in a process of its own, after a shell script in a mount namespace."""
        command = [sys.executable, "-c", MAIN, *map(str, arguments)]
        if before:
            script = f'{before}\nexec "$@"'
            inside = ["unshare", "--map-root-user", "--mount", "bash", "-ec", script, "bash"]
            command = [*inside, *command]
        return subprocess.run(
            command,
            env=os.environ | {"SPATIAL_STORE": str(self.store)} | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def run(self, *arguments: object, **environment: str | None) -> tuple[int, dict[str, Any], str]:
        """Exit code, datasets by name and stderr of ``run --json``."""
        result = self.call("run", *arguments, "--contracts", self.folder, "--json", **environment)
        return result.exit_code, rows(result.stdout), result.stderr


def rows(text: str) -> dict[str, Any]:
    """The datasets of a JSON object by their names."""
    return {d["dataset"]: d for d in json.loads(text)["datasets"]}
