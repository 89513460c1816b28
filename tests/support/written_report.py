"""Reports of evaluations of a drawn catalogue."""

import json
from pathlib import Path
from typing import Any, NoReturn

from pricematch.catalogue.postings import Posting
from pricematch.evaluation.evaluation_report import write_report
from pricematch.evaluation.metrics import number_groups
from pricematch.evaluation.signal_evaluation import Evaluation, evaluate
from tests.support.labelled import features_of, groups_of, labelled_postings

POSTINGS = labelled_postings(120)


def evaluated(postings: list[Posting], *names: str) -> Evaluation:
    return evaluate(features_of(postings), names, number_groups(groups_of(postings)), 3, 7, lambda *_: None)


def written(path: Path, evaluation: Evaluation, postings: list[Posting]) -> Any:
    """The report's JSON, strictly."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    write_report(path, evaluation, postings, Path("folder/catalogue.csv"), 7)
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
