"""The notebook's sweep over a labelled catalogue."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pricematch.evaluation.clustering_sweep import SweepRecord, best, sweep
from pricematch.evaluation.labelled import embedded, read_labelled, setting_told
from pricematch.evaluation.metrics import number_groups
from pricematch.formats.atomic_writes import check_folder, write_whole
from pricematch.progress import Progress
from pricematch.settings import Settings


@dataclass(frozen=True)
class Swept:
    """What a sweep found: its records, the best of them, and over how many postings of how many groups."""

    records: Sequence[SweepRecord]
    best: SweepRecord
    postings: int
    groups: int


def run(
    settings: Settings,
    embeddings: Path | None,
    every_eps: Sequence[float],
    min_samples: int,
    output: Path,
    progress: Progress,
) -> Swept:
    """Sweep, and write `sweep.json` and `sweep.png` into the folder `output`.

    Raises:
        CatalogueError: a bad row, or one without a label group.
        LimitExceeded: more pairs within the largest eps than the setting allows.
        SettingsError: the folder cannot be written to.
        PricematchError: see `embedded`.
    """
    from pricematch.reports.sweep import draw_sweep

    check_folder(output)
    read_labelled(settings)
    catalogue, rows = embedded(settings, embeddings, progress)
    groups = number_groups([posting.label_group or "" for posting in catalogue])
    with setting_told():
        records = sweep(rows, groups, every_eps, min_samples, progress, settings.max_cluster_pairs)
    found = best(records)
    told = [{**asdict(record), "best": record is found} for record in records]
    write_whole(output / "sweep.json", json.dumps(told, indent=1).encode())
    write_whole(output / "sweep.png", draw_sweep(records, len(catalogue)))
    return Swept(records, found, len(catalogue), len(set(groups.tolist())))
