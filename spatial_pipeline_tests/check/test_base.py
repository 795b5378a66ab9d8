import pytest

from spatial_pipeline.check import base
from spatial_pipeline.check.base import ProfileCheck, check_class, evaluates
from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.check.forms.window_rule import WindowRuleCheck
from spatial_pipeline.check.rules.metadata.readable import ReadableVector
from spatial_pipeline.contract.rules.base import Rule
from spatial_pipeline.contract.rules.metadata import Crs, Readable
from spatial_pipeline.errors import RuleError


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(base, "CHECKS", {})


class Vector(ProfileCheck):
    def evaluate(self, profile):
        raise NotImplementedError


class Raster(Vector):
    pass


def test_readable_has_a_check_for_each_kind():
    catalogue.load()
    assert check_class(Readable, "vector") is ReadableVector
    assert issubclass(check_class(Readable, "raster"), WindowRuleCheck)
    assert check_class(Crs, "vector") is check_class(Crs, "raster")


def test_the_check_of_the_kind_goes_before_that_of_all(registry):
    evaluates(Crs)(Vector)
    assert check_class(Crs, "raster") is Vector
    evaluates(Crs, kind="raster")(Raster)
    assert check_class(Crs, "raster") is Raster
    assert check_class(Crs, "vector") is Vector


def test_two_checks_of_one_rule_and_kind_are_refused(registry):
    evaluates(Crs, kind="vector")(Vector)
    with pytest.raises(TypeError, match="Crs has a check already: Vector"):
        evaluates(Crs, kind="vector")(Raster)


def test_a_rule_without_check_is_named(registry):
    evaluates(Readable, kind="vector")(Vector)
    with pytest.raises(RuleError, match="the rule readable has no check for raster data"):
        check_class(Readable, "raster")
    assert issubclass(Readable, Rule)
