"""Contract files that Dagster cannot declare: the location goes on, and the mistake is told."""

from __future__ import annotations

import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster_shared.error import DagsterUnresolvableSymbolError

from spatial_pipeline.errors import ContractError
from spatial_pipeline.orchestration import strict
from spatial_pipeline.orchestration.broken import broken_contracts
from spatial_pipeline.orchestration.defs_folder import load_from_defs_folder
from spatial_pipeline_tests.orchestration.projects import GOOD, write_points
from spatial_pipeline_tests.orchestration.test_components import GOOD_CONTRACT, dagster_cli

PYPROJECT = """
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "{name}"
code_location_target_module = "{name}.definitions"
"""
DEFINITIONS = """
from pathlib import Path

import dagster as dg
from spatial_pipeline import load_from_defs_folder


@dg.definitions
def defs() -> dg.Definitions:
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
LINES = GOOD_CONTRACT.replace("stations", "lines")
UNREADABLE: dict[str, tuple[bytes, str, str]] = {
    "no YAML": (LINES.replace("  name: lines", "  name: lines\n  key: [a").encode(), "lines",
                "not YAML"),
    "no UTF-8": (LINES.encode() + b"# \xff", "lines", "it is not UTF-8"),
    "empty": (b"", "broken", "the file is empty"),
    "a list": (b"- 1\n", "broken", "expected the keys 'type' and 'attributes', got a list"),
    "no type": (LINES.replace("type: spatial_pipeline.VectorDataset", "").encode(), "lines",
                "missing key 'type'"),
    "an unknown type": (LINES.replace("VectorDataset", "VectorDatset").encode(), "lines",
                        "did you mean 'spatial_pipeline.VectorDataset'?"),
    "a type of nowhere": (LINES.replace("spatial_pipeline", "spatial_pipline").encode(), "lines",
                          "did you mean 'spatial_pipeline.VectorDataset'?"),
    "an unknown key beside type": (LINES.encode() + b"atributes: {}\n", "lines",
                                   "did you mean 'attributes'?"),
}  # fmt: skip
"""Text of the file, name of the stand-in, and words of the mistake."""


class Files:
    """A project with the dataset ``stations``, under a module name of its own."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.name = f"project_{abs(hash(root)):x}"
        self.defs = root / self.name / "defs"
        self.defs.mkdir(parents=True)
        (root / "pyproject.toml").write_text(PYPROJECT.format(name=self.name))
        (root / self.name / "__init__.py").touch()
        (root / self.name / "definitions.py").write_text(DEFINITIONS)
        (self.defs / "__init__.py").touch()
        self.write("stations", GOOD_CONTRACT)
        write_points(self.defs / "stations" / "stations.geojson", GOOD)
        monkeypatch.syspath_prepend(str(root))

    def write(self, folder: str, text: str | bytes) -> None:
        place = self.defs / folder
        place.mkdir(parents=True, exist_ok=True)
        content = text if isinstance(text, bytes) else text.encode()
        (place / "defs.yaml").write_bytes(content)

    def repository(self) -> dg.RepositoryDefinition:
        for name in [n for n in sys.modules if n.split(".")[0] == self.name]:
            del sys.modules[name]
        definitions = load_from_defs_folder(path_within_project=self.root / self.name)
        return definitions.get_repository_def()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    strict.project_mistakes.cache_clear()
    return Files(tmp_path, monkeypatch)


def datasets(repository: dg.RepositoryDefinition) -> set[str]:
    return {k.path[0] for k in repository.asset_graph.get_all_asset_keys() if len(k.path) > 1}


@pytest.mark.parametrize(
    ("kind", "folder"), [*((kind, "broken") for kind in UNREADABLE), ("no YAML", "below/broken")]
)
def test_a_file_that_cannot_be_read_is_a_stand_in(files: Files, kind: str, folder: str) -> None:
    text, name, words = UNREADABLE[kind]
    files.write(folder, text)
    repository = files.repository()
    assert datasets(repository) == {"stations", name}
    told = broken_contracts(repository)
    assert list(told) == [name]
    assert f"{folder}/defs.yaml" in told[name]
    assert words in told[name]
    checks = {k.to_user_string() for k in repository.asset_graph.asset_check_keys}
    assert {f"{name}/staged:contract", f"{name}/published:contract"} <= checks
    assert repository.has_job("stations_job") or "stations/staged:crs" in checks


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_strict_location_stops_with_the_words_of_the_command_line(
    files: Files, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("SPATIAL_STRICT_CONTRACTS", "true")
    files.repository()
    strict.project_mistakes.cache_clear()
    text, _, words = UNREADABLE[kind]
    files.write("broken", text)
    with pytest.raises(ContractError, match=r"broken/defs\.yaml") as raised:
        files.repository()
    assert words in str(raised.value)
    assert "1 mistake" in str(raised.value)


def test_validation_says_what_the_command_line_says(files: Files) -> None:
    text, _, words = UNREADABLE["no YAML"]
    files.write("broken", text)
    done = dagster_cli(files.root, "check", "defs", "--no-check-yaml")
    assert done.returncode == 1
    assert words in done.stdout + done.stderr
    assert "1 mistake" in done.stdout + done.stderr


def test_one_of_several_documents(files: Files) -> None:
    bad = LINES.replace("VectorDataset", "VectorDatset")
    files.write("several", f"{GOOD_CONTRACT.replace('stations', 'areas')}\n---\n{bad}")
    repository = files.repository()
    assert datasets(repository) == {"stations", "areas", "lines"}
    assert list(broken_contracts(repository)) == ["lines"]


def test_below_a_folder_with_settings_of_its_own(files: Files) -> None:
    files.write("", "type: dagster.DefsFolderComponent\n")
    files.write("broken", UNREADABLE["no YAML"][0])
    repository = files.repository()
    assert datasets(repository) == {"stations", "lines"}
    assert list(broken_contracts(repository)) == ["lines"]


def test_files_of_other_components_fail_as_ever(files: Files) -> None:
    files.write("other", "type: elsewhere.Component\nattributes: {}\n")
    with pytest.raises(DagsterUnresolvableSymbolError, match="elsewhere"):
        files.repository()


def test_operations_that_cannot_be_read_alert_with_their_defaults(files: Files) -> None:
    files.write("operations", "type: spatial_pipeline.Operatins\nattributes: {}\n")
    repository = files.repository()
    assert {s.name for s in repository.sensor_defs} >= {"alerts", "dead_runs"}
    files.write("operations", "type: spatial_pipeline.Operations\nattributes: {[}\n")
    assert {s.name for s in files.repository().sensor_defs} >= {"alerts", "dead_runs"}


@pytest.mark.parametrize("text", [GOOD_CONTRACT, GOOD_CONTRACT.replace("rules", "rulez")])
def test_a_name_that_is_given_twice(files: Files, text: str) -> None:
    files.write("twice", text)
    repository = files.repository()
    assert datasets(repository) == {"stations", "twice"}
    told = broken_contracts(repository)
    assert list(told) == ["twice"]
    assert "stations" in told["twice"] or "rulez" in told["twice"]


def test_second_operations_are_told_by_the_first(files: Files) -> None:
    text = "type: spatial_pipeline.Operations\nattributes: {}\n"
    files.write("operations", text)
    files.write("others", text)
    repository = files.repository()
    assert "alerts" in {s.name for s in repository.sensor_defs}
    (told,) = broken_contracts(repository).values()
    assert "others/defs.yaml: there is already a component of the type" in told


REFERS = """
type: spatial_pipeline.VectorDataset
attributes:
  name: {name}
  source: {{uri: {name}.geojson}}
  rules:
    - {{rule: must_be_covered_by, other: {{dataset: {other}}}}}
"""


def test_references_in_a_cycle_are_a_mistake_of_the_contract_that_closes_it(files: Files) -> None:
    for name, other in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")):
        files.write(name, REFERS.format(name=name, other=other))
    repository = files.repository()
    assert datasets(repository) == {"stations", "a", "b", "c", "d"}
    told = broken_contracts(repository)
    assert list(told) == ["c"]
    assert "c/defs.yaml" in told["c"]
    assert "datasets refer to each other in a cycle: c → a → b → c" in told["c"]
