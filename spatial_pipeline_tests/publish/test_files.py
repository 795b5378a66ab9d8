"""Publishing asks the gate, switches once, and can be taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.errors import GateClosedError
from spatial_pipeline.gate.decision import merged
from spatial_pipeline.model.version import Version
from spatial_pipeline.publish.files import publish, roll_back
from spatial_pipeline.store.versions import Store
from spatial_pipeline_tests.gate.test_decision import contract, results
from spatial_pipeline_tests.store.test_versions import writer


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def proven(store: Store, name: str, **statuses: Status) -> Version:
    version = Version("roads", None, name)
    store.stage(version, writer(name))
    of = contract()
    store.save_verdict(
        version,
        lambda former: merged(of, version, former, results(of, **statuses), "now"),
        lambda _: None,
    )
    return version


def test_a_proven_version_is_published(store: Store) -> None:
    publish(contract(), proven(store, "v1"), store)
    publication = publish(contract(), proven(store, "v2"), store)
    assert (publication.version, publication.history) == ("v2", ("v1",))
    assert store.published_version("roads", None).id == "v2"


def test_an_unproven_version_is_held_and_the_last_good_one_stays(store: Store) -> None:
    publish(contract(), proven(store, "v1"), store)
    before = (store.folder("roads", None) / "published.json").read_bytes()
    with pytest.raises(GateClosedError, match="not_empty: failed") as caught:
        publish(contract(), proven(store, "v2", not_empty=Status.FAILED), store)
    assert caught.value.reasons == ("not_empty: failed: 3 of 9 violate",)
    assert (store.folder("roads", None) / "published.json").read_bytes() == before


def test_publishing_again_changes_nothing(store: Store) -> None:
    version = proven(store, "v1")
    first = publish(contract(), version, store)
    path = store.folder("roads", None) / "published.json"
    before = path.stat().st_mtime_ns
    assert publish(contract(), version, store) == first
    assert path.stat().st_mtime_ns == before


def test_a_published_version_is_asked_about_again_when_the_contract_is_tightened(
    store: Store,
) -> None:
    version = proven(store, "v1")
    publish(contract(), version, store)
    tighter = contract(rules=[{"rule": "feature_count", "min": 100}])
    with pytest.raises(GateClosedError, match=r"never checked|changed since"):
        publish(tighter, version, store)
    assert store.published_version("roads", None) == version


def test_rollback_withdraws_what_was_published(store: Store) -> None:
    one, two = proven(store, "v1"), proven(store, "v2")
    publish(contract(), one, store)
    publish(contract(), two, store)
    publication = roll_back(contract(), one, store)
    assert (publication.version, publication.history) == ("v1", ("v2",))
    with pytest.raises(GateClosedError, match="withdrawn by a rollback"):
        publish(contract(), two, store)
    assert store.published_version("roads", None) == one
    three = proven(store, "v3")
    assert publish(contract(), three, store).version == "v3"


def test_rollback_to_a_withdrawn_version_takes_the_withdrawal_back(store: Store) -> None:
    one, two = proven(store, "v1"), proven(store, "v2")
    publish(contract(), one, store)
    publish(contract(), two, store)
    roll_back(contract(), one, store)
    publication = roll_back(contract(), two, store)
    assert publication.withdrawn == ("v1",)
    assert store.published_version("roads", None) == two


def test_rollback_does_not_get_around_the_gate(store: Store) -> None:
    publish(contract(), proven(store, "v2"), store)
    with pytest.raises(GateClosedError):
        roll_back(contract(), proven(store, "v1", feature_count=Status.ERROR), store)
    assert store.published_version("roads", None).id == "v2"
