"""Checks of a staged version: the rules, the engine that runs them, and their kernels. No I/O.

The package has the name of the verb that users know: ``spatial_pipeline.check(data, rules)`` calls
:func:`spatial_pipeline.pipeline.data_check.check`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class CallablePackage(ModuleType):
    """The package, callable as the function of its name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """See :func:`spatial_pipeline.pipeline.data_check.check`."""
        # By name: checks do not depend on the pipeline, which is above them.
        return import_module("spatial_pipeline.pipeline.data_check").check(*args, **kwargs)


sys.modules[__name__].__class__ = CallablePackage
