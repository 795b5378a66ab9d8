"""Rules that misbehave; workers of other processes import this module when a rule arrives."""

from __future__ import annotations

import os
import signal
import time
from typing import Literal

from spatial_pipeline.check.base import FeatureCheck, evaluates
from spatial_pipeline.contract.rules.validity import ValidGeometry
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.violations import Violations


class Odd(ValidGeometry):
    """Does something odd to every piece."""

    does: Literal["sleep", "raise", "die", "nothing"] = "nothing"
    home: int = 0
    """Process that does not die of it."""
    seconds: float = 60.0


@evaluates(Odd)
class OddCheck(FeatureCheck[Odd]):
    """See :class:`Odd`."""

    def check(self, batch: FeatureBatch) -> Violations:
        if self.rule.does == "raise":
            msg = "odd"
            raise ValueError(msg)
        if self.rule.does == "die" and os.getpid() != self.rule.home:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.rule.does == "sleep":
            until = time.monotonic() + self.rule.seconds
            while time.monotonic() < until:
                self.context.cancelled()
                time.sleep(0.005)
        return Violations.none()
