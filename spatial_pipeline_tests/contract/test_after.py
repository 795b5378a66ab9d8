"""``after`` of a schedule names datasets of the project, and no circle."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial_pipeline.contract.load import load_project
from spatial_pipeline.errors import ContractError

TEXT = """type: spatial_pipeline.VectorDataset
attributes:
  name: {name}
  source: {{uri: a.gpkg}}
  schedule: {schedule}
"""


def mistakes(folder: Path, **schedules: str) -> list[str]:
    for name, schedule in schedules.items():
        (folder / f"{name}.yaml").write_text(TEXT.format(name=name, schedule=schedule))
    try:
        load_project([folder])
    except ContractError as exc:
        return [line.replace(f"{folder}/", "") for line in str(exc).splitlines()]
    return []


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ("{cron: 0 3 * * *, after: [roads]}", []),
        ('"0 3 * * *"', []),
        (
            "{cron: 0 3 * * *, after: [raods]}",
            ["b.yaml:5: schedule: there is no dataset 'raods'; did you mean 'roads'?"],
        ),
        ("{cron: 0 3 * * *}", ["b.yaml:5: schedule: missing key 'after'"]),
        (
            "{cron: 0 25 * * *, after: [roads]}",
            ["b.yaml:5: schedule.cron: hour '25': 25 is not in 0 to 23"],
        ),
    ],
)
def test_mistakes(tmp_path: Path, schedule: str, told: list[str]) -> None:
    assert mistakes(tmp_path, roads='"0 2 * * *"', b=schedule) == told


def test_a_circle(tmp_path: Path) -> None:
    (said,) = mistakes(
        tmp_path, a="{cron: 0 3 * * *, after: [b]}", b="{cron: 0 3 * * *, after: [a]}"
    )
    assert "datasets refer to each other in a cycle: a → b → a" in said
