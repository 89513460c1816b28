"""`pricematch explore`."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.cli.outcome import Outcome
from pricematch.settings import load_settings

if TYPE_CHECKING:
    from pricematch.reports.exploration import Explored

_NOT_A_NAME = re.compile(r"\W+")


def explore(
    output: options.OutputFolder,
    catalogue: options.Catalogue = None,
    images: options.ImagesIfAny = None,
    seed: Annotated[int, typer.Option(min=0, help="Which groups and pairs are shown.")] = 0,
) -> Outcome:
    """Write a page that shows what a catalogue holds: groups, repeats, near-duplicates, titles, images.

    Nothing is needed but the CSV. Bad rows and bad images are counted and listed, and the others are explored.
    Where there are images, hashes that the CSV lacks are computed from them.
    """
    from pricematch.reports.exploration import PAGE
    from pricematch.reports.exploration import explore as run

    settings = load_settings(catalogue=catalogue, images=images)
    with terminal.progress_bars() as bars:
        explored = run(settings, output, seed, bars)
    counts = _counts(explored)

    def show() -> None:
        rows = [[what, f"{count:,}"] for what, count in counts.items() if count is not None]
        terminal.print_table("Explored", ["", "count"], rows)
        typer.echo(f"wrote {output / PAGE}")

    named = {_NOT_A_NAME.sub("_", what.partition(",")[0]): count for what, count in counts.items()}
    return Outcome({"page": str(output / PAGE), "counts": named}, show)


def _counts(explored: "Explored") -> dict[str, int | None]:
    """What was found, in numbers; None where there is nothing to count."""
    from pricematch.evaluation.exploration import NEAR
    from pricematch.evaluation.near_duplicates import Relation, group_sizes

    found = explored.exploration
    groups, near = len(group_sizes(found.groups)), found.near.pairs[1:].sum(axis=0)
    counts: dict[str, int | None] = {"postings": len(found.postings), "bad rows": explored.bad_rows}
    counts["groups"] = groups or None
    counts["postings without a usable image"] = explored.bad_images
    kinds = {"file names": found.names, "file contents": found.contents, "hashes": found.hashes, "titles": found.titles}
    for kind, repeats in kinds.items():
        counts[f"different {kind}"] = repeats.distinct or None
        counts[f"{kind} in more than one group"] = len(repeats.across) if groups and repeats.distinct else None
    if found.hashes.distinct:
        counts[f"near-duplicates, 1 to {NEAR} bits apart"] = int(near.sum())
        counts["near-duplicates of different groups"] = int(near[Relation.ACROSS]) if groups else None
    counts["stock images"] = len(found.stock) or None
    return counts
