"""Every file of a data folder flipped, cut short and dropped: never a silent loss."""

import json
import logging
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricematch.catalogue.feed import Position
from pricematch.errors import ImageUnavailable, ImportRefused, StoreError
from pricematch.settings import Settings
from pricematch.store.job_files import JobFiles
from pricematch.store.sqlite.store import IMAGES, JOBS, LOST_FOUND, open_store
from pricematch.store.verify import verify
from tests.support.products import contents as products_kept
from tests.support.stores import everything, image_names

ROOT = Path(__file__).parents[2]
FILL = """
import hashlib, json, os, sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from pricematch.catalogue.features import unit_rows
from pricematch.errors import RowProblem
from pricematch.store.job_files import JobFiles
from pricematch.store.sqlite.store import open_store
from tests.support.products import partition
from tests.support.stores import image_bytes, put
store = open_store(Path(sys.argv[1]), serve=True)
images = [image_bytes(number) for number in range(6)]
digests = [hashlib.sha256(image).digest() for image in images]
def some(first, last):
    store.postings.put([put(f"{n:03}", images[n % 6], f"a title, number {n}") for n in range(first, last)])
    for n in range(first, last, 5):
        store.feedback.decide(f"{n:03}", f"{n + 1:03}", "same" if n % 2 else "different")
some(0, 90)
store.postings.delete("017")
store.computed.keep_embeddings("cae", digests, unit_rows(np.random.default_rng(1).standard_normal((6, 16)), 16))
store.computed.keep_hashes("phash", digests, [f"{n:016x}" for n in range(6)])
store.models.activate("cae", "3")
partition(store.products, [[f"{n:03}", f"{n + 1:03}"] for n in range(0, 90, 2)], {1: 0.5})
if sys.argv[2] == "closed":
    store.close()
    store = open_store(Path(sys.argv[1]), serve=True)
files = JobFiles(Path(sys.argv[1]) / "jobs")
job_id = files.new()
with files.open(job_id, "postings") as file:
    file.write(b"posting_id,title\\n" + b"".join(b"%d,of a job\\n" % n for n in range(40)))
job = store.jobs.create("import", json.dumps({"digests": files.sync(job_id)}), job_id)
store.jobs.change(replace(job, state="running", done=7, total=40), [RowProblem(3, "title", "too long", "3")])
some(90, 120)
partition(store.products, [[f"{n:03}", f"{n + 1:03}", f"{n + 2:03}"] for n in range(0, 120, 3)], {1: 0.5})
store.models.activate("matcher", "2")
os._exit(9)
"""


def filled(folder: Path, how: str) -> Path:
    """A folder of a process that was killed, with a log that holds all (`killed`) or the last changes (`closed`)."""
    subprocess.run([sys.executable, "-c", FILL, str(folder), how], cwd=ROOT, check=False)
    (folder / LOST_FOUND / "ab").mkdir(parents=True, mode=0o700)
    (folder / LOST_FOUND / "ab" / ("0" * 62)).write_bytes(b"set aside")
    return folder


def contents(folder: Path) -> dict[str, Any]:
    """All that is kept, as a service that starts on it reads it; raises StoreError."""
    with closing(open_store(folder, serve=True)) as store:
        postings = everything(store)
        digests = sorted({bytes.fromhex(posting.image) for posting in postings.values() if posting.image})
        images = dict[bytes, bytes]()
        for digest in digests:
            try:
                images[digest] = store.images.read(digest.hex())
            except ImageUnavailable as error:
                logging.getLogger("pricematch").warning("%s", error)  # as whoever asks is told
        jobs = store.jobs.unfinished("import")
        for job in jobs:
            JobFiles(folder / JOBS).check(job.job_id, json.loads(job.spec)["digests"])
        return {
            "postings": postings,
            "images": images,
            "feedback": store.feedback.all_feedback(),
            "models": store.models.active(),
            "jobs": [(job, store.jobs.problems(job.job_id, 0, 10)) for job in jobs],
            "embeddings": store.computed.embeddings("cae", digests),
            "hashes": store.computed.hashes("phash", digests),
            "products": (products_kept(store.products), store.products.page("doubt", None, 99)),
            "changes": store.feed.changes(Position(0)).changes,
        }


def flipped(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def shortened(path: Path, draw: random.Random) -> None:
    os.truncate(path, draw.randrange(path.stat().st_size))


DAMAGES: Mapping[str, Callable[[Path, random.Random], object]] = {
    "flipped": flipped,
    "shortened": shortened,
    "dropped": lambda path, _: path.unlink(),
}


def lacks(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """What differs; embeddings and hashes that are left out are computed again."""
    differences = [name for name in expected if name not in {"embeddings", "hashes"} and found[name] != expected[name]]
    for name in ("embeddings", "hashes"):
        wrong = [key for key, value in found[name].items() if not np.array_equal(value, expected[name][key])]
        differences += [name] * bool(wrong)
    return differences


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "closed"])
@pytest.mark.parametrize("places", [2, pytest.param(20, marks=pytest.mark.long)])
def test_damage_to_any_file_is_never_silent(
    places: int, how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Faults F1, F14: the start is refused, or all that was acknowledged is there, or the loss is told.

    Fault F14 in particular: bytes that SQLite does not check.
    """
    whole = filled(tmp_path / "whole", how)
    expected = contents(shutil.copytree(whole, tmp_path / "expected"))
    files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file() and path.stat().st_size)
    assert len(files) >= 12
    draw, outcomes = random.Random(f"{how} {places}"), dict[str, int]()
    for file in files:
        for name, damage in DAMAGES.items():
            many = 1 if name == "dropped" else places * (4 if "sqlite3" in file.name else 1)
            for number in range(many):
                folder = shutil.copytree(whole, tmp_path / "damaged")
                damage(folder / file, draw)
                outcome = told(folder, expected, caplog)
                what = f"{file} {name} ({number}): {outcome}"
                assert outcome != "silent", what
                assert images_kept(folder, whole) >= len(image_names(whole)) - (file.parts[0] == IMAGES), what
                outcomes[outcome] = outcomes.get(outcome, 0) + 1
                shutil.rmtree(folder)
    print(how, outcomes)


def images_kept(folder: Path, whole: Path) -> int:
    """How many of the images are still somewhere."""
    kept = image_names(folder) | {"".join(path.parts[-2:]) for path in (folder / LOST_FOUND).glob("??/*")}
    return len(kept & image_names(whole))


def told(folder: Path, expected: Mapping[str, Any], caplog: pytest.LogCaptureFixture) -> str:
    """How a damaged folder is answered."""
    caplog.clear()
    try:
        found = contents(folder)
    except (StoreError, ImportRefused):
        return "refused"
    differences = lacks(found, expected)
    if not differences:
        return "whole, told by the log" if caplog.messages else "whole"
    faults = [fault for checked in verify(Settings(data=folder), lambda *_: None) for fault in checked.faults]
    return "an image, told by the log" if differences == ["images"] and faults and caplog.messages else "silent"
