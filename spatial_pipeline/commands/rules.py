"""The commands ``spatial-pipeline rules`` and ``schema``, which describe contracts."""

from __future__ import annotations

from typing import Annotated

import typer

from spatial_pipeline.commands.completion import complete_rule
from spatial_pipeline.commands.project import JsonOption
from spatial_pipeline.commands.terminal import print_json, print_rich, wrong


def rules(
    sought: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID|TEXT]",
            help="Rule or specification to show, or words to search for: "
            "'must not have dangles', ST_IsValid, RQ9.",
            autocompletion=complete_rule,
        ),
    ] = None,
    listed: Annotated[
        bool,
        typer.Option("--specifications", help="List public specifications for `uses`."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List all rules, search them, or show the parameters of one. Option --json is for programs.

    The search knows the names that ArcGIS, QGIS, PostGIS, PDOK, GDAL, Great Expectations, Soda and
    others have for a rule.
    """
    from spatial_pipeline.contract.rule_index import every_rule
    from spatial_pipeline.contract.specification_files import specification_names
    from spatial_pipeline.contract.spelling import closest
    from spatial_pipeline.report.rule_list import rule_list, search

    if listed or sought in specification_names():
        _show_specifications(None if sought is None else str(sought), as_json)
        return
    known = {rule.rule: rule for rule in every_rule()}
    if sought in known:
        _show_rule(sought, as_json)
        return
    found = list(known.values()) if sought is None else search(sought, known.values())
    if not found:
        near = closest(sought, [*known, *specification_names()]).hint
        wrong(f"no rule has the ID {sought!r}, or these words{near}")
    if as_json:
        from spatial_pipeline.contract.rules import CATALOGUE
        from spatial_pipeline.report.catalogue import rule_json

        print_json({"rules": [rule_json(CATALOGUE[rule.rule]) for rule in found]})
    else:
        print_rich(rule_list(found, peers=sought is not None))


def _show_rule(identity: str, as_json: bool) -> None:
    """One rule with its parameters."""
    from spatial_pipeline.contract.rules import CATALOGUE
    from spatial_pipeline.report.catalogue import rule_json, rule_page

    if as_json:
        print_json(rule_json(CATALOGUE[identity]))
    else:
        print_rich(rule_page(CATALOGUE[identity]))


def _show_specifications(name: str | None, as_json: bool) -> None:
    """One specification, or all."""
    from spatial_pipeline.contract.specification import specifications
    from spatial_pipeline.contract.spelling import closest
    from spatial_pipeline.report.specifications import (
        specification_json,
        specification_page,
        specification_table,
    )

    known = specifications()
    if name is not None and name not in known:
        wrong(f"there is no specification {name!r}{closest(name, known).hint}")
    if name is None and as_json:
        print_json({"specifications": [specification_json(s) for s in known.values()]})
    elif name is None:
        print_rich(specification_table())
    elif as_json:
        print_json(specification_json(known[name]))
    else:
        print_rich(specification_page(known[name]))


def schema() -> None:
    """Print the JSON schema of contract files, for editors."""
    from spatial_pipeline.contract.json_schema import schema as contract_schema

    print_json(contract_schema())
