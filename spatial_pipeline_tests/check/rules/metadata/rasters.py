"""Profiles of rasters for the tests of rules about them."""

import numpy as np

from spatial_pipeline.contract.rules import OtherSource
from spatial_pipeline.model.profile import BandProfile
from spatial_pipeline_tests.support import memory_raster

OTHER = OtherSource(uri="other.tif")


def raster(count=1, height=4, width=5, **profile):
    return memory_raster(np.zeros((count, height, width), np.uint8), **profile)


def banded(*bands):
    return raster(len(bands), bands=tuple(BandProfile(t, n) for t, n in bands))
