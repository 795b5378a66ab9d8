"""First contracts: valid as they are written, and with everything uncommented."""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg
import pytest
from dagster.components.scaffold.scaffold import NoParams

from spatial_pipeline.contract.load import load
from spatial_pipeline.contract.models import RasterContract, VectorContract
from spatial_pipeline.orchestration.scaffolding import (
    DatasetScaffolder,
    RasterScaffolder,
    VectorScaffolder,
    contract_text,
)

MODELS = (VectorContract, RasterContract)


@pytest.mark.parametrize("model", MODELS)
def test_the_contract_loads_as_it_is_and_uncommented(
    tmp_path: Path, model: type[VectorContract] | type[RasterContract]
) -> None:
    text = contract_text(model, "power_lines")
    path = tmp_path / "defs.yaml"
    path.write_text(text)
    (bare,) = load(path)
    assert (bare.name, type(bare)) == ("power_lines", model)
    whole = re.sub(r"^( +)# ", r"\1", text, flags=re.MULTILINE)
    path.write_text(whole)
    (full,) = load(path)
    assert len(full.rules) > len(bare.rules)
    assert full.schedule is not None
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("scaffolder", [VectorScaffolder, RasterScaffolder])
def test_the_name_is_that_of_the_folder(
    tmp_path: Path, scaffolder: type[DatasetScaffolder]
) -> None:
    folder = tmp_path / "2nd élan-lines"
    folder.mkdir()

    def scaffold(path: Path, *, append: bool) -> None:
        request = dg.ScaffoldRequest(
            type_name=scaffolder.model.type_name,
            target_path=path,
            scaffold_format="yaml",
            project_root=tmp_path,
            params=NoParams(),
            append=append,
        )
        scaffolder().scaffold(request)

    scaffold(folder, append=False)
    scaffold(folder / "defs.yaml", append=True)
    assert [c.name for c in load(folder / "defs.yaml")] == ["_2nd__lan_lines", "_2nd__lan_lines_2"]
