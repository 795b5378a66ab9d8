import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.delivery_parity import SameProfileAs
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.profile import BandProfile
from spatial_pipeline_tests.check.rules.metadata.rasters import OTHER, raster
from spatial_pipeline_tests.support import run_rule

CHANGES = {
    "grid": {"transform": (1, 0, 5, 0, -1, 0)},
    "compression": {"compression": "LZW"},
    "overviews": {"overviews": (2, 4)},
    "blocks": {"block_shapes": ((8, 8), (8, 8))},
    "masks": {"mask_flags": (("per_dataset",), ("per_dataset",))},
    "tags": {"tags": {"AREA_OR_POINT": "Point", "source": "a"}},
    "data_type": {"data_type": "int16"},
    "nodata": {"nodata": 0.0},
    "band_names": {"description": "red"},
    "color_interpretation": {"color_interpretation": "red"},
    "scale_offset": {"unit": "m"},
}
"""Property → change of the profile, or of its second band."""
OF_A_BAND = {f.name for f in dataclasses.fields(BandProfile)}


def profiled(changed):
    band = BandProfile("uint8")
    ours = {k: v for name in changed for k, v in CHANGES[name].items()}
    second = dataclasses.replace(band, **{k: v for k, v in ours.items() if k in OF_A_BAND})
    rest = {k: v for k, v in ours.items() if k not in OF_A_BAND}
    masks = rest.pop("mask_flags", (("all_valid",),) * 2)
    return raster(2, bands=(band, second), mask_flags=masks, **rest)


def test_the_same_profile_passes():
    result, violations = run_rule(SameProfileAs(other=OTHER), profiled(()), profiled(()))
    assert (result.status, result.checked, len(violations)) == (Status.PASSED, 12, 0)
    assert result.message == "12 properties are the same"


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("grid", ["grid: first corner at (0, 0), not (5, 0)"]),
        ("compression", ["compression none here, LZW there"]),
        ("overviews", ["overviews none here, 2, 4 there"]),
        ("blocks", ["band 1: blocks 16, 16 here, 8, 8 there",
                    "band 2: blocks 16, 16 here, 8, 8 there"]),
        ("masks", ["band 1: masks all_valid here, per_dataset there",
                   "band 2: masks all_valid here, per_dataset there"]),
        ("tags", ["tag AREA_OR_POINT Area here, Point there", "tag source none here, a there"]),
        ("data_type", ["band 2: data type uint8 here, int16 there"]),
        ("nodata", ["band 2: nodata none here, 0.0 there"]),
        ("band_names", ["band 2: band names none here, red there"]),
        ("color_interpretation", ["band 2: color interpretation undefined here, red there"]),
        ("scale_offset", ["band 2: scale offset 1.0, 0.0, none here, 1.0, 0.0, m there"]),
    ],
)  # fmt: skip
def test_each_difference_is_named(name, reasons):
    result, violations = run_rule(SameProfileAs(other=OTHER), profiled(()), profiled((name,)))
    assert (result.status, result.checked) == (Status.FAILED, 12)
    assert violations.reasons.tolist() == sorted(reasons)
    accepted = SameProfileAs(other=OTHER, ignore=(name,))
    result, _ = run_rule(accepted, profiled(()), profiled((name,)))
    assert (result.passed, result.checked) == (True, 11)
    assert f"not compared: {name}" in result.message


def test_another_number_of_bands():
    result, violations = run_rule(SameProfileAs(other=OTHER), raster(2), raster(3))
    assert result.status is Status.FAILED
    assert violations.reasons.tolist() == ["number of bands 2 here, 3 there"]


def test_what_cannot_be_read_is_not_compared():
    result, _ = run_rule(SameProfileAs(other=OTHER), raster(1), raster(1, error="damaged"))
    assert result.status is Status.ERROR
    assert "damaged" in result.message


@given(
    st.sets(st.sampled_from(sorted(CHANGES))),
    st.sets(st.sampled_from(sorted(CHANGES))),
    st.sets(st.sampled_from(sorted(CHANGES))),
)
@settings(max_examples=60, deadline=None)
def test_it_finds_the_properties_that_differ(here, there, ignored):
    rule = SameProfileAs(other=OTHER, ignore=tuple(sorted(ignored)))
    result, violations = run_rule(rule, profiled(here), profiled(there))
    expected = (here ^ there) - ignored
    words = {r.removeprefix("band 1: ").removeprefix("band 2: ") for r in violations.reasons}
    found = {n for n in CHANGES for w in words if w.startswith(n.replace("_", " "))}
    found |= {"tags"} if any(w.startswith("tag ") for w in words) else set()
    assert found == expected
    assert result.passed == (not expected)
