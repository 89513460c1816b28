"""`pricematch explore`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import terminal
from app.commands.options import Catalogue, setting
from app.settings import load_settings

if TYPE_CHECKING:
    from app.offline.explore import Explored


def explore(
    output: Annotated[Path, typer.Option(help="Folder to write explore.html into.")],
    catalogue: Catalogue = None,
    images: Annotated[
        Path | None, setting("images", "Folder of the pictures; left out if it is not named and holds none of them.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which groups and pairs are shown.")] = 0,
) -> None:
    """Write a page that shows what a catalogue holds: groups, repeats, near-duplicates, titles, pictures.

    Nothing is needed but the catalogue. Bad rows and pictures are counted and listed, and the others are explored.
    """
    from app.offline import explore

    settings = load_settings(catalogue=catalogue, images=images)
    with terminal.progress_bars() as bars:
        explored = explore.explore(settings, output, seed, bars)
    _print(explored)
    typer.echo(f"wrote {explored.page}")


def _print(explored: "Explored") -> None:
    """What was found, in numbers."""
    from app.matching.exploration.explore import NEAR
    from app.matching.exploration.groups import Relation, group_sizes

    found = explored.exploration
    groups, near = len(group_sizes(found.groups)), found.near.pairs[1:].sum(axis=0)
    kinds = {"file names": found.names, "file contents": found.contents, "hashes": found.hashes, "titles": found.titles}
    rows = [("postings", len(found.postings)), ("bad rows", explored.bad_rows)]
    if explored.bad_pictures is not None:
        rows.append(("postings without a usable picture", explored.bad_pictures))
    rows += [("groups", groups)] if groups else []
    for kind, repeats in kinds.items():
        if repeats.distinct:
            rows.append((f"different {kind}", repeats.distinct))
            rows += [(f"{kind} in more than one group", len(repeats.across))] if groups else []
    if found.hashes.distinct:
        rows.append((f"near-duplicates (1 to {NEAR} bits of the hash)", int(near.sum())))
        rows += [("near-duplicates of different groups", int(near[Relation.ACROSS]))] if groups else []
    terminal.print_table("Explored", ["", "count"], [[what, f"{count:,}"] for what, count in rows])
