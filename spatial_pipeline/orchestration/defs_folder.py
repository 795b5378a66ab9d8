"""Loads a ``defs`` folder some of whose contract files Dagster cannot even declare.

Dagster declares all component files before it loads the first. A file that is no YAML, is empty,
or has an unknown ``type`` raises there, and the whole code location fails. Here such a file becomes
a stand-in like any other contract with mistakes. Files of other components, and Python files, fail
the location as ever.

The interfaces of Dagster used here are not public; no other module uses them, and
``test_defs_folder.py`` pins them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import dagster as dg
from dagster._utils.pydantic_yaml import _parse_and_populate_model_with_annotated_errors
from dagster._utils.warnings import suppress_dagster_warnings
from dagster.components.core.component_tree import ComponentTree
from dagster.components.core.context import ComponentDeclLoadContext
from dagster.components.core.decl import (
    ComponentDecl,
    DefsFolderDecl,
    YamlBackedComponentDecl,
    YamlFileDecl,
    _get_component_class,
    build_component_decl_from_yaml_document,
    build_filesystem_component_decl_from_context,
)
from dagster.components.core.defs_module import (
    EXPLICITLY_IGNORED_GLOB_PATTERNS,
    ComponentFileModel,
    ComponentLoc,  # noqa: F401 - the record below names it
    ComponentPath,
    DefsFolderComponent,
    context_with_injected_scope,
    find_defs_or_component_yaml,
)
from dagster_shared.record import record
from dagster_shared.yaml_utils import parse_yamls_with_source_position
from dagster_shared.yaml_utils.source_position import (
    LineCol,
    SourcePosition,
    ValueAndSourcePositionTree,
)

from spatial_pipeline.contract.errors import Mistake
from spatial_pipeline.contract.load import is_contract, load
from spatial_pipeline.contract.models import MODELS, VectorContract
from spatial_pipeline.contract.operations import OperationsContract
from spatial_pipeline.contract.rules.by_identity import BRIEF
from spatial_pipeline.contract.spelling import closest
from spatial_pipeline.errors import ContractError
from spatial_pipeline.orchestration.broken import broken_definitions, log_mistakes
from spatial_pipeline.orchestration.operations import Operations
from spatial_pipeline.orchestration.stand_in_names import (
    claim_operations,
    stand_in_name,
)
from spatial_pipeline.orchestration.strict import is_strict, project_mistakes

_TYPE = re.compile(r"^type:\s*['\"]?([\w.]+)", re.MULTILINE)
_NAME = re.compile(r"^\s+name:\s*['\"]?([A-Za-z_]\w*)", re.MULTILINE)


@suppress_dagster_warnings
def load_from_defs_folder(*, path_within_project: Path) -> dg.Definitions:
    """Definitions of all components of a project, as ``dagster.load_from_defs_folder`` makes them.

    A contract file that Dagster cannot read is an incident of its dataset, and the others load.

    Args:
        path_within_project: a path inside of the project.

    Raises:
        ContractError: all mistakes of the project, where the code location is strict.

    """
    tree = _Tolerant.for_project(path_within_project)
    if is_strict():
        try:
            tree.find_root_decl()
        except Exception as exc:
            told = project_mistakes(tree.defs_module_path)
            if told:
                raise ContractError(told) from exc
            raise
    # Dagster keeps the schema of each component for its pages about the code location.
    token = BRIEF.set(True)
    try:
        return tree.build_defs()
    finally:
        BRIEF.reset(token)


class _Tolerant(ComponentTree):
    """A component tree in which a contract file that cannot be declared has a stand-in."""

    def _get_filesystem_decl(self) -> ComponentDecl[Any]:
        try:
            return super()._get_filesystem_decl()
        except Exception:
            if is_strict():
                raise
            loc = ComponentPath.from_path(self.defs_module_path)
            declared = _declared(self.decl_load_context.for_component_loc(loc))
            if declared is None:
                raise
            self.state_tracker.set_cache_data(loc, component_decl=declared)
            return declared


class BrokenContract(dg.Component):
    """The stand-in of a contract file that cannot be read."""

    def __init__(self, name: str, kind: str, mistakes: str) -> None:
        self.name = name
        self.kind = kind
        self.mistakes = mistakes

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Assets and failed checks."""
        del context
        return broken_definitions(self.name, self.kind, self.mistakes)


@record
class _BrokenDecl(YamlBackedComponentDecl[dg.Component]):
    """Declaration of a stand-in; of an operations file, of alerts that tell its mistakes."""

    file: Path
    mistakes: str
    written_type: str
    written_name: str

    @property
    def component_type(self) -> type[dg.Component]:
        return BrokenContract

    def _load_component(self) -> dg.Component:
        log_mistakes(self.mistakes)
        context = dg.ComponentLoadContext.from_decl_load_context(self.context, self)
        meant = closest(self.written_type, (*MODELS, OperationsContract.type_name)).word
        if meant == OperationsContract.type_name and not claim_operations(context, self.file):
            return Operations(None, self.mistakes)
        kind: str = MODELS.get(meant or "", VectorContract).kind
        name = stand_in_name(context, self.written_name, self.file)
        return BrokenContract(name, kind, self.mistakes)


def _declared(context: ComponentDeclLoadContext) -> ComponentDecl[Any] | None:
    """Declaration of a path by Dagster; where that fails, of each of its files by itself."""
    try:
        return build_filesystem_component_decl_from_context(context)
    except Exception as exc:
        file = find_defs_or_component_yaml(context.path)
        if file is not None:
            return _declared_file(context, file, exc)
        if not context.path.is_dir():
            raise
    return DefsFolderDecl(
        context=context,
        loc=ComponentPath.from_path(context.path),
        children=_children(context),
        source_tree=None,
        component_file_model=None,
    )


def _children(
    context: ComponentDeclLoadContext, template_vars_module: str | None = None
) -> Mapping[Path, ComponentDecl[Any]]:
    scope = context_with_injected_scope(context, DefsFolderComponent, template_vars_module)
    found: dict[Path, ComponentDecl[Any]] = {}
    for path in sorted(context.path.iterdir()):
        name = path.relative_to(context.path)
        if not any(name.match(pattern) for pattern in EXPLICITLY_IGNORED_GLOB_PATTERNS):
            declared = _declared(scope.for_component_loc(ComponentPath.from_path(path)))
            if declared is not None:
                found[path] = declared
    return found


def _declared_file(context: ComponentDeclLoadContext, file: Path, error: Exception) -> YamlFileDecl:
    """The documents of a component file; those that are broken contracts have stand-ins.

    Raises:
        Exception: the error, where the file is none of ours.

    """
    try:
        documents = parse_yamls_with_source_position(file.read_text(encoding="utf-8"), str(file))
    except Exception:  # noqa: BLE001 - whatever is wrong with the text, its stand-in says it
        documents = []
    places = [ComponentPath.from_path(context.path, index) for index in range(len(documents))]
    decls = [
        _declared_document(context.for_component_loc(place), place, document, file)
        for place, document in zip(places, documents, strict=True)
    ]
    positions = [d.source_position_tree.position for d in documents]
    if not documents:
        text = file.read_bytes().decode(errors="replace")
        kind, name = _TYPE.search(text), _NAME.search(text)
        place = ComponentPath.from_path(context.path, 0)
        said = (kind[1] if kind else "", name[1] if name else "")
        decls = [_stand_in(context, place, file, error, *said)]
        positions = [SourcePosition(str(file), LineCol(1, 1), LineCol(1, 1))]
    return YamlFileDecl(
        loc=ComponentPath.from_path(context.path),
        context=context,
        decls=decls,
        source_positions=positions,
    )


def _declared_document(
    context: ComponentDeclLoadContext,
    place: ComponentPath,
    document: ValueAndSourcePositionTree,
    file: Path,
) -> YamlBackedComponentDecl[Any]:
    try:
        declared = build_component_decl_from_yaml_document(context, document, place)
    except Exception as exc:  # noqa: BLE001 - raised again where the file is none of ours
        folder = _folder(context, place, document)
        value = document.value if isinstance(document.value, dict) else {}
        attributes = value.get("attributes")
        name = attributes.get("name") if isinstance(attributes, dict) else None
        said = (str(value.get("type", "")), name)
        return folder or _stand_in(context, place, file, exc, *said)
    return cast("YamlBackedComponentDecl[Any]", declared)


def _folder(
    context: ComponentDeclLoadContext, place: ComponentPath, document: ValueAndSourcePositionTree
) -> DefsFolderDecl | None:
    """The folder that a document configures, each file of it declared by itself."""
    try:
        model = _parse_and_populate_model_with_annotated_errors(
            cls=ComponentFileModel, obj_parse_root=document, obj_key_path_prefix=[]
        )
        if _get_component_class(context, model).get_decl_type() is not DefsFolderDecl:
            return None
    except Exception:  # noqa: BLE001 - then it configures no folder
        return None
    return DefsFolderDecl(
        context=context,
        loc=place,
        children=_children(context, model.template_vars_module),
        source_tree=document,
        component_file_model=model,
    )


def _stand_in(
    context: ComponentDeclLoadContext,
    place: ComponentPath,
    file: Path,
    error: Exception,
    written_type: str,
    written_name: Any,
) -> _BrokenDecl:
    """The stand-in of a contract.

    Raises:
        Exception: the error, where the file is none of ours.

    """
    if not is_contract(file):
        raise error
    mistakes = str(Mistake(file, None, str(error)))
    try:
        load(file)
    except ContractError as exc:
        # As the command line tells them.
        mistakes = str(exc)
    return _BrokenDecl(
        context=context.for_component_loc(place),
        loc=place,
        source_tree=None,
        component_file_model=None,
        file=file,
        mistakes=mistakes,
        written_type=written_type,
        written_name=written_name if isinstance(written_name, str) else "",
    )


__all__ = ["BrokenContract", "load_from_defs_folder"]
