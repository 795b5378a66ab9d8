"""The commands ``spatial-pipeline rules`` and ``schema``, which describe contracts."""

from __future__ import annotations

from typing import Annotated

import typer

from spatial_pipeline.commands.completion import complete_rule
from spatial_pipeline.commands.project import JsonOption
from spatial_pipeline.commands.terminal import print_json, print_rich, wrong


def rules(
    identity: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]", help="Rule to show with its parameters.", autocompletion=complete_rule
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List all rules, or show the parameters of one. The option --json is for programs."""
    from spatial_pipeline.contract.rules import CATALOGUE
    from spatial_pipeline.contract.spelling import closest
    from spatial_pipeline.report.catalogue import catalogue_table, rule_json, rule_page

    if identity is None:
        if as_json:
            print_json({"rules": [rule_json(m) for m in CATALOGUE.values()]})
        else:
            print_rich(catalogue_table())
        return
    model = CATALOGUE.get(identity)
    if model is None:
        wrong(f"there is no rule {identity!r}{closest(identity, CATALOGUE).hint}")
    if as_json:
        print_json(rule_json(model))
    else:
        print_rich(rule_page(model))


def schema() -> None:
    """Print the JSON schema of contract files, for editors."""
    from spatial_pipeline.contract.json_schema import schema as contract_schema

    print_json(contract_schema())
