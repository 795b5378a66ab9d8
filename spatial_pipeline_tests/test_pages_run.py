"""Commands and Python code of the pages, typed in their order over small data."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from typer.testing import CliRunner

from spatial_pipeline.cli import app
from spatial_pipeline_tests.pages import ROOT, Command, Snippet, pages, snippets

Step = Callable[[Path], None]
LINES = re.compile("[│┃━╇]")
"""What tables are drawn with; a cell may continue on the next line."""


def roads(folder: Path, lanes: object = 2, name: str = "roads.gpkg", count: int = 4) -> None:
    """A delivery: roads in a chain, with one number of lanes."""
    x = np.arange(count)
    ends = np.stack([x, x + 1], axis=1) * 100.0 + 500000
    lines = shapely.linestrings(np.stack([ends, ends * 0 + 5500000], axis=2))
    columns = {"road_id": x + 1, "class": "street", "lanes": lanes}
    frame = geopandas.GeoDataFrame(columns, geometry=lines, crs="EPSG:25832")
    (folder / name).unlink(missing_ok=True)
    frame.to_file(folder / name, layer=Path(name).stem)


def contract(folder: Path, name: str, uri: str, rule: str, **more: str) -> None:
    """A contract of one rule in the file of its name."""
    kind = "Raster" if uri.endswith(".tif") else "Vector"
    keys = {"name": name, "source": f'{{uri: "{uri}"}}', **more, "rules": f"[{rule}]"}
    lines = [f"type: spatial_pipeline.{kind}Dataset", "attributes:"]
    lines += [f"  {key}: {value}" for key, value in keys.items()]
    (folder / f"{name}.yaml").write_text("\n".join(lines), encoding="utf-8")


def call(*words: str) -> tuple[int, str, str]:
    """Exit code, stdout, and all that our program prints, in this process."""
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "160"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.output


def clone(folder: Path) -> None:
    """What the README types in a clone of the repository, and data of one's own beside it."""
    (folder / "spatial_pipeline/defs").mkdir(parents=True)
    shutil.copytree(ROOT / "spatial_pipeline/defs/plots", folder / "spatial_pipeline/defs/plots")
    roads(folder)


def own_data(folder: Path) -> None:
    """The demo's contracts are not those of one's own folder."""
    shutil.rmtree(folder / "spatial_pipeline")


def printed_contract(folder: Path) -> None:
    """The contract of the page again, in place of the one that was inferred."""
    (printed,) = snippets("README.md", "yaml")
    (folder / "roads.yaml").write_text(printed.text, encoding="utf-8")


def baseline(folder: Path) -> None:
    """A rule that has a baseline, and something to accept."""
    rule = "{rule: min_length, value: 1000, baseline: accepted.json}"
    contract(folder, "roads", "roads.gpkg", rule)


def counties(folder: Path) -> None:
    """Two versions that were published."""
    (folder / "contracts").mkdir()
    kept = "{keep: 5, days: 90}"
    rule = "{rule: valid_geometry}"
    contract(folder / "contracts", "counties", "../counties.gpkg", rule, retention=kept)
    os.environ["SPATIAL_CONTRACTS"] = "contracts"
    for lanes in (1, 2):
        roads(folder, lanes, "counties.gpkg")
        assert call("run")[0] == 0


def surveyed(folder: Path) -> None:
    """Published roads, and a raster in partitions; nothing but the store is left of them."""
    roads(folder)
    grid = {"driver": "GTiff", "width": 4, "height": 4, "count": 1, "dtype": "uint8"}
    place = {"crs": "EPSG:25832", "transform": Affine(10, 0, 500000, 0, -10, 5000000)}
    with rasterio.open(folder / "north.tif", "w", **grid, **place) as made:
        made.write(np.full((1, 4, 4), 7, dtype="uint8"))
    parts = "{static: [north]}"
    contract(folder, "roads", "roads.gpkg", "{rule: valid_geometry}")
    contract(folder, "elevation", "{partition}.tif", "{rule: readable_pixels}", partitions=parts)
    assert call("run", "--contracts", ".")[0] == 0
    # The newest delivery has a line without length.
    frame = geopandas.read_file(folder / "roads.gpkg")
    frame.geometry = [shapely.LineString([(0, 0), (0, 0)]), *frame.geometry[1:]]
    frame.to_file(folder / "roads.gpkg", layer="roads")
    assert call("run", "roads", "--contracts", ".")[0] == 1


def surfaces(folder: Path) -> None:
    """Published roads, whose numbers are texts in the next delivery."""
    os.environ["USER"] = "ann"
    contract(folder, "roads", "roads.gpkg", "{rule: valid_geometry}")
    roads(folder)
    shutil.copy(folder / "roads.gpkg", folder / "before.gpkg")
    for lanes in (2, "two"):
        frame = geopandas.read_file(folder / "before.gpkg").drop(columns=["class"])
        frame = frame.rename(columns={"lanes": "surface"}).assign(surface=lanes)
        frame.to_file(folder / "roads.gpkg", layer="roads")
        if lanes == 2:
            assert call("run", "--contracts", ".")[0] == 0


def parcels(folder: Path) -> None:
    """Two parcels that leave a gap between them, and a contract below ``defs``."""
    (folder / "defs/parcels").mkdir(parents=True)
    ring = shapely.box(0, 0, 3, 3).difference(shapely.box(1, 1, 2, 2))
    halves = shapely.intersection(ring, shapely.box([0, 1.5], 0, [1.5, 3], 3))
    frame = geopandas.GeoDataFrame({"id": [1, 2]}, geometry=halves, crs="EPSG:25832")
    frame.to_file(folder / "parcels.gpkg", layer="parcels")
    contract(folder / "defs/parcels", "parcels", "../../parcels.gpkg", "{rule: must_not_have_gaps}")


def published(folder: Path) -> None:
    """Published roads and counties."""
    for name in ("roads", "counties"):
        roads(folder, name=f"{name}.gpkg")
        contract(folder, name, f"{name}.gpkg", "{rule: valid_geometry}")
    assert call("run", "--contracts", ".")[0] == 0


def listed(folder: Path) -> None:
    """Data, and a file of rules."""
    roads(folder)
    (folder / "rules.yaml").write_text("- {rule: valid_geometry}\n", encoding="utf-8")


def nothing(folder: Path) -> None:
    """A page that needs nothing but itself."""


@dataclass(frozen=True)
class Scene:
    """What a page needs that it does not make itself.

    Attributes:
        prepare: makes it.
        before: beginning of a command → what happens before it.
        codes: beginning of a command → its exit code, 0 for all others.
        words: placeholder → what is typed for it, in the folder.

    """

    prepare: Step = nothing
    before: Mapping[str, Step] = field(default_factory=dict)
    codes: Mapping[str, int] = field(default_factory=dict)
    words: Mapping[str, Callable[[Path], str]] = field(default_factory=dict)


def withdrawn(folder: Path) -> str:
    """The version that a rollback withdrew."""
    said = call("history", "counties", "--json")[1]
    return re.findall(r'"version": "(\w+)"', said)[0]


def proposed_schema(folder: Path) -> str:
    """The beginning of the fingerprint that the gate names."""
    (found,) = set(re.findall(r"--schema (\w+)", call("run", "--contracts", ".", "--json")[1]))
    return found


SCENES = {
    "README.md": Scene(
        clone,
        before={
            "spatial-pipeline profile": own_data,
            "spatial-pipeline check roads.yaml --html": printed_contract,
            "spatial-pipeline rollback": lambda folder: (
                roads(folder, 3, count=5),
                call("run", "--contracts", "."),
            )[0],
            "spatial-pipeline check roads.yaml --write": baseline,
        },
        codes={".venv/bin/spatial-pipeline check": 1},
    ),
    "docs/alerts.md": Scene(),
    "docs/coming-from.md": Scene(listed),
    "docs/operations.md": Scene(),
    "docs/profile.md": Scene(parcels),
    "docs/proposals.md": Scene(parcels, codes={"spatial-pipeline check": 1}),
    "docs/reading.md": Scene(surveyed),
    "docs/schema-changes.md": Scene(
        surfaces,
        codes={"spatial-pipeline run roads --contracts .": 1},
        words={"1778cd2fde28": proposed_schema},
    ),
    "docs/standards.md": Scene(published),
    "docs/store.md": Scene(counties, words={"VERSION": withdrawn}),
}
"""Pages that are run here."""
ELSEWHERE = {
    "docs/async-testing.md": "test_async_testing_page.py",
    "docs/custom-rules.md": "contract/test_custom.py",
    "docs/report.md": "test_report_page.py",
    "docs/runbook.md": "test_runbook.py",
    **{
        f"docs/tutorials/{n}.md": "test_tutorials.py"
        for n in ("alerts", "schedules", "schema-backfills")
    },
}
"""Pages that need more than a folder, and the test that runs them."""
PARSED = {
    "dagster": "a server, or a run of a project: test_dev.py, test_tutorials.py",
    "dagster-daemon": "a server: test_dev.py",
    "dagster-webserver": "a server: test_dev.py",
    "dask": "servers: test_remote.py",
    "dg": "a project of dg: orchestration/test_components.py",
    "docker": "no engine here: test_deploy_compose.py",
    "kubectl": "no cluster here: test_deploy_kubernetes.py",
    "make": "makes environments, runs everything",
    "mkdir": "folders of a server",
    "pip": "changes the environment",
    "python": "runs of minutes: each has a small form in the suite",
    "spatial-pipeline alerts": "needs the daemon: test_runbook.py, commands/test_alerts.py",
    "spatial-pipeline check roads.yaml$": "needs a scheduler: distributed/test_client.py",
    "spatial-pipeline metrics --listen": "a server: commands/test_metrics.py",
}
"""Beginnings of commands of which only the options are tried, in test_pages.py, and why."""
SKETCHES = {"CONTRIBUTING.md", "docs/schema-changes.md"}
"""Pages whose Python shows a form that stands in no file."""


def only_parsed(command: str) -> bool:
    return any(re.match(rf"(\S*/)?{b}(?![\w-])", command) for b in PARSED)


class Reader:
    """Types the snippets of one page in a folder."""

    def __init__(self, folder: Path, scene: Scene) -> None:
        self.folder = folder
        self.scene = scene
        self.names: dict[str, object] = {}

    def read(self, snippet: Snippet) -> None:
        """Writes the file, runs the code, or types the commands."""
        if snippet.file is not None:
            path = self.folder / snippet.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(snippet.text, encoding="utf-8")
        elif snippet.kind == "python" and snippet.page not in SKETCHES:
            self.run(snippet)
        for command, said in snippet.commands() if snippet.kind in {"console", "sh"} else ():
            if not only_parsed(command):
                self.type(command, said)

    def run(self, snippet: Snippet) -> None:
        """Runs code; a comment at its end names the error that it raises."""
        code = compile("\n" * (snippet.line - 1) + snippet.text, snippet.page, "exec")
        raised = re.search(r"^# (\w+Error): (.*)\n\Z", snippet.text, re.MULTILINE)
        if raised is None:
            exec(code, self.names)
            return
        with pytest.raises(Exception, match=pattern(raised[2])) as caught:
            exec(code, self.names)
        assert caught.type.__name__ == raised[1]

    def type(self, typed: str, said: str) -> None:
        """Types a command; checks its exit code, its file and what it prints."""
        for beginning, step in self.scene.before.items():
            if typed.startswith(beginning):
                step(self.folder)
        command = Command.of(typed)
        if command.words[0] == "export":
            return
        words = command.words[1:]
        for placeholder, find in self.scene.words.items():
            if placeholder in typed + said:
                found = find(self.folder)
                words = [w.replace(placeholder, found) for w in words]
                said = said.replace(placeholder, found)
        assert Path(command.words[0]).name == "spatial-pipeline", typed
        code, out, printed = call(*words)
        expected = next((c for b, c in self.scene.codes.items() if typed.startswith(b)), 0)
        assert code == expected, (typed, printed)
        if command.output is not None:
            (self.folder / command.output).write_text(out, encoding="utf-8")
        printed = " ".join(LINES.sub(" ", printed).split())
        assert re.search(pattern(said), printed, re.DOTALL), (typed, printed)
        files = [w for w in words if w.endswith((".html", ".gpkg")) and w != "roads.gpkg"]
        assert all((self.folder / f).exists() for f in files), typed


def pattern(shown: str) -> str:
    """Matches what is shown, with anything between its lines and in place of ``…``."""
    pieces = [p for line in LINES.sub(" ", shown).splitlines() for p in line.split("…")]
    return ".*?".join(re.escape(" ".join(p.split())) for p in pieces)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("SPATIAL_STORE", "SPATIAL_CONTRACTS", "USER"):
        monkeypatch.setenv(name, "")
    return tmp_path


@pytest.mark.parametrize("page", SCENES)
def test_a_page_does_what_it_shows(page: str, folder: Path) -> None:
    scene = SCENES[page]
    scene.prepare(folder)
    reader = Reader(folder, scene)
    for snippet in snippets(page):
        reader.read(snippet)


@pytest.mark.parametrize("page", pages())
def test_every_command_is_run_or_has_a_reason(page: str) -> None:
    if page in SCENES or page in ELSEWHERE:
        return
    commands = [c for s in snippets(page, "console", "sh") for c, _ in s.commands()]
    left = [c for c in commands if not only_parsed(c) and not c.startswith("export ")]
    assert left == []
    assert not snippets(page, "python") or page in SKETCHES


@pytest.mark.parametrize(("page", "test"), ELSEWHERE.items())
def test_the_page_is_run_elsewhere(page: str, test: str) -> None:
    assert Path(page).stem in (ROOT / "spatial_pipeline_tests" / test).read_text(encoding="utf-8")
