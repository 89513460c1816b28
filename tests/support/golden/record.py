"""The recording of a checkout."""

import json
import shutil
import tempfile
from pathlib import Path

from tests.support.golden.changes import changed_answers
from tests.support.golden.checkout import Checkout
from tests.support.golden.questions import all_answers, large_image_answers
from tests.support.golden.subject import prepare
from tests.support.golden.verbs import offline


def record(executable: Path, output: Path, work: Path) -> None:
    """Ask one checkout everything and write what it answers."""
    subject = prepare(executable, work)
    with tempfile.TemporaryDirectory(dir=work, prefix="recording-") as name:
        folder = Path(name)
        (folder / "catalogue").symlink_to(work / "catalogue")
        shutil.copytree(work / "models", folder / "models")
        checkout = Checkout(executable, folder)
        found = {"offline": offline(checkout)}
        shutil.copytree(folder / "data", folder / "data-by-similarity")  # the embeddings that the verbs have kept
        similarity = ("--matcher", "none", "--data", "data-by-similarity", "--skip-bad-images")
        with checkout.serving(*similarity) as service:
            found["by similarity"] = all_answers(service, subject)
            found["large images by similarity"] = large_image_answers(service, subject)
        with checkout.serving("--matcher", "auto") as service:
            found["by probability"] = all_answers(service, subject)
            found["large images by probability"] = large_image_answers(service, subject)
            found["changed"] = changed_answers(service, subject)
            found["after changes"] = all_answers(service, subject)
        with checkout.serving("--matcher", "auto") as service:
            found["after restart"] = all_answers(service, subject)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
