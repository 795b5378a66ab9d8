"""The two component types that a contract file names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)
from pydantic import BaseModel, ConfigDict

from spatial_pipeline.contract.json_schema import attributes_schema
from spatial_pipeline.contract.load import parse_attributes
from spatial_pipeline.contract.models import Contract, RasterContract, VectorContract
from spatial_pipeline.errors import ContractError
from spatial_pipeline.orchestration.broken import broken_definitions, log_mistakes
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.orchestration.reference_cycles import add_references
from spatial_pipeline.orchestration.scaffolding import RasterScaffolder, VectorScaffolder
from spatial_pipeline.orchestration.stand_in_names import claim_dataset, stand_in_name
from spatial_pipeline.orchestration.strict import check_project, is_strict


class _Attributes(BaseModel):
    """Attributes of a contract as they were written.

    Dagster validates a component's attributes before the component sees them and stops at the first
    file that is wrong. So validation is left to the contract, which reports all mistakes and does
    not affect other datasets, while the JSON schema, which ``dg check yaml`` and editors use, is
    the contract's.
    """

    model_config = ConfigDict(extra="allow")
    contract: ClassVar[type[BaseModel]]

    @classmethod
    def model_json_schema(cls, *_args: Any, **_kwargs: Any) -> dict[str, Any]:
        """The JSON schema of the contract.

        Dagster asks for it whenever it loads definitions, also in a run and in each of its steps,
        where nobody looks at it.
        """
        if DefinitionsLoadContext.get().load_type is DefinitionsLoadType.RECONSTRUCTION:
            return {"type": "object"}
        return attributes_schema(cls.contract)


class _DatasetAttributes(_Attributes):
    contract: ClassVar[type[VectorContract] | type[RasterContract]]


class _VectorAttributes(_DatasetAttributes):
    contract = VectorContract


class _RasterAttributes(_DatasetAttributes):
    contract = RasterContract


class _Dataset(dg.Component):
    """A dataset with its contract, or with the mistakes of the contract."""

    attributes_model: ClassVar[type[_DatasetAttributes]]

    def __init__(self, contract: Contract | None, mistakes: str = "", name: str = "") -> None:
        self.contract = contract
        self.mistakes = mistakes
        self.name = name

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """Any attributes; the JSON schema of the contract."""
        return cls.attributes_model

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> _Dataset:
        """The dataset; with mistakes in its contract, a stand-in that reports them.

        Raises:
            ContractError: all mistakes of the project, where the code location is strict.

        """
        check_project(context)
        written = {} if attributes is None else attributes.model_dump()
        path = _file(context)
        try:
            contract = parse_attributes(
                cls.attributes_model.contract.type_name,
                written,
                path,
            )
            mistake = claim_dataset(context, contract.name, path)
            mistake = mistake or add_references(context, contract, path)
            if mistake is not None:
                raise ContractError(str(mistake))
        except ContractError as exc:
            if is_strict():
                raise
            log_mistakes(str(exc))
            return cls(None, str(exc), stand_in_name(context, written.get("name"), path))
        return cls(contract)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Definitions of the dataset."""
        del context
        if self.contract is None:
            kind = self.attributes_model.contract.kind
            return broken_definitions(self.name, kind, self.mistakes)
        return dataset_definitions(self.contract)


@dg.scaffold_with(VectorScaffolder)
class VectorDataset(_Dataset):
    """A vector dataset: ingested, checked by the rules of its contract, published when proven."""

    attributes_model: ClassVar[type[_DatasetAttributes]] = _VectorAttributes


@dg.scaffold_with(RasterScaffolder)
class RasterDataset(_Dataset):
    """A raster dataset: ingested, checked by the rules of its contract, published when proven."""

    attributes_model: ClassVar[type[_DatasetAttributes]] = _RasterAttributes


def _file(context: dg.ComponentLoadContext) -> Path:
    """The contract's file; relative URIs are relative to it."""
    path = Path(context.path)
    return path / "defs.yaml" if path.is_dir() else path
