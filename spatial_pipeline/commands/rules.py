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
    from spatial_pipeline.contract.rules import CATALOGUE
    from spatial_pipeline.contract.specification import specifications
    from spatial_pipeline.contract.spelling import closest
    from spatial_pipeline.report.catalogue import catalogue_table, rule_json, rule_page
    from spatial_pipeline.report.peers import search

    if listed or sought in specifications():
        _show_specifications(None if sought is None else str(sought), as_json)
        return
    found = list(CATALOGUE.values())
    if sought in CATALOGUE:
        found = [CATALOGUE[sought]]
    elif sought is not None:
        found = search(sought, found)
    if not found:
        near = closest(sought, [*CATALOGUE, *specifications()]).hint
        wrong(f"no rule has the id, or the words, {sought!r}{near}")
    if sought in CATALOGUE:
        if as_json:
            print_json(rule_json(found[0]))
        else:
            print_rich(rule_page(found[0]))
    elif as_json:
        print_json({"rules": [rule_json(m) for m in found]})
    else:
        print_rich(catalogue_table(found, peers=sought is not None))


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
