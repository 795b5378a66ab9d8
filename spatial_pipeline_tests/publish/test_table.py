"""Store and table come to agree again, whichever of the two pointers was lost or left behind."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.errors import GateClosedError
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.publish import files, table
from spatial_pipeline_tests.publish.postgis.conftest import project, template
from spatial_pipeline_tests.publish.postgis.projects import Project, contract
from spatial_pipeline_tests.publish.postgis.test_publisher import run

__all__ = ["project", "template"]

Two = tuple[Project, VectorContract, Version, Version]


@pytest.fixture
def two(project: Project) -> Two:
    """Two versions of a dataset, published to its table one after the other."""
    of = contract(project.folder)

    def published(mark: int) -> Version:
        version = project.proven(of, 3, mark)
        asyncio.run(project.pipeline().apublish(of, version))
        return version

    return project, of, published(1), published(2)


def shown(project: Project) -> list[Any]:
    """What readers of the table see, and what the two pointers name."""
    (marks,) = run(project.dsn, "SELECT array_agg(DISTINCT mark) FROM gis.points")
    (named,) = run(project.dsn, "SELECT version FROM spatial_pipeline.publications")
    pointer = project.pipeline().store.published("points", None)
    return [*marks[0], *named, None if pointer is None else pointer.version]


def crashed(project: Project, monkeypatch: pytest.MonkeyPatch, action: Any) -> None:
    """Does something and dies between the commit and the switch of the file."""

    async def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(table, "_switched", killed)
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(action(project.pipeline()))


def test_a_contract_that_was_edited_is_published_again(
    two: Two,
) -> None:
    project, _, _, second = two
    for least in (1, 2):
        edited = contract(project.folder, rules=[{"rule": "feature_count", "min": least}])
        pipeline = project.pipeline(edited)
        asyncio.run(pipeline.audit(edited, second))
        asyncio.run(pipeline.apublish(edited, second))
        assert shown(project) == [2, second.id, second.id]


@pytest.mark.parametrize("back", [False, True])
def test_a_lost_pointer_comes_back_from_the_database(two: Two, back: bool) -> None:
    project, of, first, second = two
    store = project.pipeline().store
    if back:
        asyncio.run(project.pipeline().roll_back(of))
    before = store.published("points", None)
    for lost in store.folder("points", None).glob("*published.json"):
        lost.unlink()
    if back:
        with pytest.raises(GateClosedError, match="withdrawn by a rollback"):
            asyncio.run(project.pipeline().apublish(of, second))
    else:
        asyncio.run(project.pipeline().apublish(of, second))
    assert store.published("points", None) == before
    assert shown(project) == ([1, first.id, first.id] if back else [2, second.id, second.id])


def test_a_pointer_that_is_one_behind_follows(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    project, of, _, _ = two
    third = project.proven(of, 3, 3)
    crashed(project, monkeypatch, lambda p: p.apublish(of, third))
    asyncio.run(project.pipeline().apublish(of, third))
    assert shown(project) == [3, third.id, third.id]


def test_rollback_to_what_is_published_changes_nothing(
    two: Two,
) -> None:
    project, of, _, second = two
    before = project.pipeline().store.published("points", None)
    for _ in range(2):
        asyncio.run(project.pipeline().roll_back(of, to=second.id))
        assert shown(project) == [2, second.id, second.id]
    assert project.pipeline().store.published("points", None) == before


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The time of publications; the last of the list counts."""
    times = [datetime(2030, 1, 1, tzinfo=UTC)]

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return times[-1]

    monkeypatch.setattr(files, "datetime", Clock)
    return times


def test_a_clock_set_back_brings_no_withdrawn_version_back(
    clock: list[datetime], two: Two,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    project, of, first, second = two
    clock.append(datetime(2026, 1, 1, tzinfo=UTC))
    crashed(project, monkeypatch, lambda p: p.roll_back(of))
    with pytest.raises(GateClosedError, match="withdrawn by a rollback"):
        asyncio.run(project.pipeline().apublish(of, second))
    assert shown(project) == [1, first.id, first.id]


def test_files_that_went_ahead_of_the_database_count(clock: list[datetime], two: Two) -> None:
    project, of, first, second = two
    files_only = contract(project.folder, publish=None)
    clock.append(datetime(2026, 1, 1, tzinfo=UTC))
    asyncio.run(project.pipeline(files_only).roll_back(files_only))
    with pytest.raises(GateClosedError, match="withdrawn by a rollback"):
        asyncio.run(project.pipeline().apublish(of, second))
    asyncio.run(project.pipeline().apublish(of, first))
    assert shown(project) == [1, first.id, first.id]


def test_every_change_of_the_pointer_is_counted(
    two: Two,
) -> None:
    project, of, _, second = two
    pipeline = project.pipeline()

    def number() -> int:
        pointer = pipeline.store.published("points", None)
        assert isinstance(pointer, Publication)
        rows = run(project.dsn, "SELECT number FROM spatial_pipeline.publications")
        assert rows == [(pointer.number,)]
        return pointer.number

    assert number() == 2
    asyncio.run(pipeline.apublish(of, second))
    assert number() == 2
    asyncio.run(pipeline.roll_back(of))
    assert number() == 3
