"""The component for running a code location: alerts and inventory."""

from __future__ import annotations

from typing import Any, ClassVar

import dagster as dg
from dagster.components.component_scaffolding import scaffold_component
from pydantic import BaseModel

from spatial_pipeline.contract.load import parse_operations
from spatial_pipeline.contract.operations import OperationsContract as OperationsModel
from spatial_pipeline.errors import ContractError
from spatial_pipeline.orchestration.alerts.sensor import alerts_sensor
from spatial_pipeline.orchestration.broken import broken_definitions, log_mistakes
from spatial_pipeline.orchestration.components import _Attributes, _file
from spatial_pipeline.orchestration.inventory import inventory_asset, inventory_schedule
from spatial_pipeline.orchestration.orphans import orphans_sensor
from spatial_pipeline.orchestration.retention import retention_asset, retention_schedule
from spatial_pipeline.orchestration.stand_in_names import claim_operations, stand_in_name
from spatial_pipeline.orchestration.strict import check_project, is_strict


class _OperationsAttributes(_Attributes):
    contract: ClassVar[type[BaseModel]] = OperationsModel


class OperationsScaffolder(dg.Scaffolder[Any]):
    """Writes the defaults, to be completed."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Writes ``defs.yaml``."""
        scaffold_component(
            request,
            {"alerts": {"remind_after": "1d"}, "inventory": {"schedule": "0 6 * * *"}},
        )


def operations_definitions(operations: OperationsModel, mistakes: str = "") -> dg.Definitions:
    """The sensors of dead runs and alerts, inventory, retention and schedules, as configured.

    Args:
        operations: what a person wrote; the defaults where that has mistakes.
        mistakes: the mistakes, one a line.

    """
    sensors = [orphans_sensor()]
    if operations.alerts is not None:
        sensors.append(alerts_sensor(operations.alerts, mistakes))
    assets, schedules = [], []
    if operations.inventory is not None:
        assets.append(inventory_asset())
        schedules.append(inventory_schedule(operations.inventory))
    if operations.retention is not None:
        assets.append(retention_asset(operations.retention))
        schedules.append(retention_schedule(operations.retention))
    return dg.Definitions(sensors=sensors, assets=assets, schedules=schedules)


@dg.scaffold_with(OperationsScaffolder)
class Operations(dg.Component):
    """Alerts about all datasets of the code location, and a list of what is held; one is enough."""

    def __init__(
        self, operations: OperationsModel | None, mistakes: str = "", stand_in: str = ""
    ) -> None:
        self.operations = operations
        self.mistakes = mistakes
        self.stand_in = stand_in

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """Any attributes; the JSON schema of the operations."""
        return _OperationsAttributes

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Operations:
        """The operations; with mistakes the defaults, which alert about them.

        A second component is a stand-in, about which the first one alerts.

        Raises:
            ContractError: all mistakes of the project, where the code location is strict.

        """
        check_project(context)
        written = {} if attributes is None else attributes.model_dump()
        path = _file(context)
        taken = claim_operations(context, path)
        try:
            if taken is not None:
                raise ContractError(str(taken))
            return cls(parse_operations(written, path))
        except ContractError as exc:
            if is_strict():
                raise
            log_mistakes(str(exc))
            name = "" if taken is None else stand_in_name(context, None, path)
            return cls(None, str(exc), name)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Sensor, asset, check and schedule."""
        del context
        if self.stand_in:
            return broken_definitions(self.stand_in, "operations", self.mistakes)
        return operations_definitions(self.operations or OperationsModel(), self.mistakes)
