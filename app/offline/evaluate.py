"""How well signals find the label groups of a catalogue."""

from dataclasses import dataclass
from pathlib import Path

from app.adapters.evaluation_report import write_report
from app.adapters.whole_file import check_folder, write_whole
from app.errors import CatalogueError
from app.matching.evaluation import evaluate as judging
from app.matching.evaluation.evaluate import Evaluation
from app.matching.ingest import Progress
from app.matching.metrics import number_groups
from app.offline.labelled import read_labelled
from app.offline.signals import load_signals, pictures
from app.settings import Settings

REPORT, PAGE = "report.json", "report.html"


@dataclass(frozen=True)
class EvaluateOptions:
    """What is judged and how: names of signals, a NumPy file of embeddings instead of pictures, folds, seed."""

    signals: tuple[str, ...]
    embeddings: Path | None
    folds: int
    seed: int


def evaluate(settings: Settings, options: EvaluateOptions, output: Path, progress: Progress) -> Evaluation:
    """Judge signals on a labelled catalogue, and write `report.json` and `report.html` into a folder.

    Raises:
        CatalogueError: a bad row, one without a label group, or fewer groups than folds.
        SettingsError: the folder cannot be written to, or what a signal is computed from is missing.
        PricematchError: as `load_signals`.
    """
    from app.offline.thumbnails import draw_pictures
    from app.reports.evaluation import evaluation_page, shown_names

    check_folder(output)
    content = read_labelled(settings)
    images = pictures(settings, content.names())
    catalogue, signals = load_signals(settings, content, options.signals, options.embeddings, progress)
    groups = number_groups([str(posting.label_group) for posting in catalogue])
    if groups.max() + 1 < options.folds:
        raise CatalogueError(
            f"{content.path}: expected at least {options.folds} label groups for as many folds, got {groups.max() + 1}"
        )
    found = judging.evaluate(signals, groups, options.folds, options.seed, progress)
    postings = list(catalogue)
    drawn = None if images is None else draw_pictures(settings, shown_names(found, postings), images, progress)
    page = evaluation_page(found, postings, str(settings.catalogue), drawn, options.seed)
    write_report(output / REPORT, found, postings, settings.catalogue, options.seed)
    write_whole(output / PAGE, page.encode())
    return found
