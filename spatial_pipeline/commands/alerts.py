"""The commands ``spatial-pipeline alerts``."""

from __future__ import annotations

from typing import Annotated

import typer

from spatial_pipeline.commands.project import FAILED, JsonOption, PartitionOption, settings
from spatial_pipeline.commands.terminal import (
    print_json,
    print_rich,
    print_text,
    results_only,
    wrong,
)
from spatial_pipeline.errors import SpatialPipelineError

alerts = typer.Typer(
    help="Test channels, and list, acknowledge or silence incidents.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
ByOption = Annotated[
    str, typer.Option("--by", metavar="NAME", help="Your name, for the others who are alerted.")
]
NoteOption = Annotated[
    str, typer.Option(metavar="TEXT", help="A note for the others who are alerted.")
]
LocationOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Code location. Default: the only one with alerts."),
]


@alerts.command("test")
@results_only
def send_sample(
    channel: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Use only this channel. Can be repeated."),
    ] = None,
) -> None:
    """Send a sample message to every channel. Exit code 1 if any of them failed."""
    from spatial_pipeline.alert.message import Links
    from spatial_pipeline.contract.spelling import closest
    from spatial_pipeline.pipeline.alert_context import channels_of, sample

    environment = settings()
    try:
        found = channels_of(environment)
    except SpatialPipelineError as exc:
        wrong(str(exc))
    if not found:
        wrong("there are no channels: set SPATIAL_ALERT_URLS")
    names = [c.name for c in found]
    for name in channel or ():
        if name not in names:
            hint = closest(name, names).hint
            wrong(f"there is no channel {name!r}{hint}")
    message = sample(Links(environment.ui_url, environment.store_url, environment.environment))
    failed = False
    for each in found:
        if channel and each.name not in channel:
            continue
        error = each.send(message)
        failed |= error is not None
        print_text(f"{each.name}: {'sent' if error is None else f'failed: {error}'}\n")
    raise typer.Exit(FAILED if failed else 0)


@alerts.command("list")
@results_only
def list_incidents(as_json: JsonOption = False) -> None:
    """List open incidents, who acknowledged them, and silences. Exit code 1 if any is open."""
    from rich.markup import escape

    from spatial_pipeline.alert.message import when
    from spatial_pipeline.alert.wording import condition
    from spatial_pipeline.orchestration.alerts.people import alert_states
    from spatial_pipeline.report.tables import terminal_table

    try:
        states = alert_states()
    except SpatialPipelineError as exc:
        wrong(str(exc))
    found, silences = [], []
    for location, state in sorted(states.items()):
        people = {a.place: a for a in state.acknowledged}
        places = dict.fromkeys(i.key.place for i in state.incidents)
        for place in places:
            incidents = [i for i in state.incidents if i.key.place == place]
            known = people.get(place)
            found.append(
                {
                    "location": location,
                    "dataset": place[0],
                    "partition": place[1],
                    "since": when(min(i.opened_at for i in incidents)),
                    "problem": condition([i.fact for i in incidents]),
                    "names": [i.key.name for i in incidents],
                    "acknowledged_by": None if known is None else known.by,
                    "note": None if known is None else known.note,
                }
            )
        silences += [
            {
                "location": location,
                "datasets": s.datasets,
                "partition": s.partition,
                "until": when(s.until),
                "by": s.by,
                "note": s.note,
            }
            for s in state.silences
        ]
    if as_json:
        print_json({"incidents": found, "silences": silences})
        raise typer.Exit(FAILED if found else 0)
    table = terminal_table("Since (UTC)", "Problem", "Acknowledged by", wrap=2)
    for each in found:
        cells = (each["since"], each["problem"], each["acknowledged_by"] or "")
        table.add_row(*(escape(str(c)) for c in cells))
    for silence in silences:
        where = f"[{silence['partition']}]" if silence["partition"] else ""
        text = f"silent until {silence['until']}: {silence['datasets']}{where} {silence['note']}"
        table.add_row("", escape(text), escape(str(silence["by"])))
    if table.row_count:
        print_rich(table)
    else:
        print_text("no incident is open\n")
    raise typer.Exit(FAILED if found else 0)


@alerts.command("acknowledge")
@results_only
def acknowledge(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Name of the dataset.")],
    by: ByOption,
    partition: PartitionOption = None,
    note: NoteOption = "",
    location: LocationOption = None,
) -> None:
    """Acknowledge the open problems of a dataset: no reminders until it has another problem.

    Exit code 1 if it has no open problem.
    """
    from spatial_pipeline.orchestration.alerts.people import desk_of

    try:
        with desk_of(location, settings()) as desk:
            count = desk.acknowledge(dataset, partition, by, note)
    except SpatialPipelineError as exc:
        wrong(str(exc))
    where = dataset if partition is None else f"{dataset}[{partition}]"
    if not count:
        print_text(f"nothing of {where} is open\n")
        raise typer.Exit(FAILED)
    print_text(f"{where}: {count} open problem{'' if count == 1 else 's'} acknowledged by {by}\n")


@alerts.command("reset")
@results_only
def reset(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Name of the dataset.")],
    partition: PartitionOption = None,
    location: LocationOption = None,
) -> None:
    """Close the incidents of a dataset that is gone. A problem that persists opens a new one.

    Exit code 1 if it has no open problem.
    """
    from spatial_pipeline.orchestration.alerts.people import desk_of

    try:
        with desk_of(location, settings()) as desk:
            count = desk.reset(dataset, partition)
    except SpatialPipelineError as exc:
        wrong(str(exc))
    print_text(f"{count} incident{'' if count == 1 else 's'} of {dataset} closed\n")
    raise typer.Exit(0 if count else FAILED)


@alerts.command("silence")
@results_only
def silence(
    datasets: Annotated[
        str,
        typer.Argument(metavar="DATASET", help="Name of the dataset, or a pattern with * and ?."),
    ],
    by: ByOption,
    for_: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="Length of the silence: 30m, 8h or 2d.")
    ],
    partition: PartitionOption = None,
    note: NoteOption = "",
    location: LocationOption = None,
) -> None:
    """Send no alerts about some datasets for a while. Problems that remain are sent afterwards."""
    import time

    from spatial_pipeline.alert.message import when
    from spatial_pipeline.alert.silences import Silence
    from spatial_pipeline.contract.duration import duration_of
    from spatial_pipeline.orchestration.alerts.people import desk_of

    try:
        length = duration_of(for_)
    except ValueError as exc:
        wrong(f"--for: {exc}")
    until = time.time() + length.total_seconds()
    try:
        with desk_of(location, settings()) as desk:
            desk.silence(Silence(datasets, partition, until, by, note))
    except SpatialPipelineError as exc:
        wrong(str(exc))
    where = datasets if partition is None else f"{datasets}[{partition}]"
    print_text(f"{where}: nothing is sent until {when(until)} UTC\n")


@alerts.command("unsilence")
@results_only
def unsilence(
    datasets: Annotated[
        str, typer.Argument(metavar="DATASET", help="Name or pattern, as it was given to silence.")
    ],
    partition: PartitionOption = None,
    location: LocationOption = None,
) -> None:
    """End a silence before its time. Exit code 1 if there is none."""
    from spatial_pipeline.orchestration.alerts.people import desk_of

    try:
        with desk_of(location, settings()) as desk:
            count = desk.end_silences(datasets, partition)
    except SpatialPipelineError as exc:
        wrong(str(exc))
    print_text(f"{count} silence{'' if count == 1 else 's'} ended\n")
    raise typer.Exit(0 if count else FAILED)
