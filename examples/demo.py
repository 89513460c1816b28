"""The whole road in one command: serve a catalogue with nothing trained, ask it over HTTP, then let labels teach it.

    python examples/demo.py [--catalogue CSV --images DIR] [--once]

Everything is kept in demo/ and used again by the next run.
"""

import argparse
import csv
import hashlib
import itertools
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pricematch.evaluation.splits import training_groups

PRICEMATCH = [sys.executable, "-m", "pricematch"]
FOLDER = Path("demo")
POSTINGS = "160"
SMALL = 2000
LEAST_GROUPS = 10
SMALL_TRAINING = ("--epochs", "2", "--batch", "8", "--autoencoder-epochs", "10")
TRAIN_SHARE = 0.5
SEED = 0
"""Half of the products, chosen by this seed, teach a matcher; the others tell how good it is."""
PORT = 8000
SECONDS = 300
JSON = "application/json"

console = Console()


def main() -> None:
    """Run the demo."""
    options = parse_options()
    started = time.monotonic()
    catalogue, images, home = find_catalogue(options)
    say("Starting the service")
    with service([*paths_of(catalogue, images, home), "--data", home / "data"]) as (url, process):
        query = pick_query(catalogue)
        print_answer(query, ask(url, images, query), catalogue)
        print(f"From nothing to this answer: {time.monotonic() - started:.0f} seconds")
        teach(url, catalogue, images, home)
        print_curl(url, images / query["image"], query)
        print(f"\nAll of this took {time.monotonic() - started:.0f} seconds")
        if not options.once:
            print(f"\nThe service stays up at {url} (try it at {url}/docs). Ctrl-C stops it.", flush=True)
            process.wait()


def teach(url: str, catalogue: Path, images: Path, home: Path) -> None:
    """Train the notebook's networks, which are exported beside the default one, and a matcher; once."""
    if (home / "models" / "autoencoder").is_dir():
        say(f"Using the models of before in {home / 'models'}; `make clean` starts anew")
        return
    say("Training the notebook's networks, the convolutional autoencoder and the autoencoder on its latents")
    training = SMALL_TRAINING if is_small(catalogue) else ("--epochs", "1")
    pricematch("train", "encoder", *training, *paths_of(catalogue, images, home))
    train_matcher(url, catalogue, images, home)


def train_matcher(url: str, catalogue: Path, images: Path, home: Path) -> None:
    """Let half of the known products teach a matcher, where there are enough.

    Where it finds more than the default matcher does, it decides from then on, without a pause of the service.
    """
    rows = read_rows(catalogue)
    sizes = Counter(row.get("label_group") for row in rows if row.get("label_group"))
    groups = sum(size > 1 for size in sizes.values())
    if groups < LEAST_GROUPS:
        say(f"{groups} products with several postings teach no matcher: the default one goes on")
        return
    held_out = [row for row in rows if row.get("label_group") and not taught(row)]
    before = mean_f1(url, held_out, rows)
    say(f"Training a matcher on half of {groups} products with several postings")
    signals = "hash,title,image" if any(row.get("title") for row in rows) else "hash,image"
    share = ("--train-share", str(TRAIN_SHARE), "--seed", str(SEED))
    paths = paths_of(catalogue, images, home)
    pricematch("train", "matcher", "--signals", signals, *share, *paths, "--data", home / "data")
    told = f"Mean F1 on the {len(held_out)} postings of the other products: {before:.3f} by the default matcher"
    if (home / "models" / "matcher").is_dir():
        activate(url)
        told += f", {mean_f1(url, held_out, rows):.3f} by the one that labels taught"
    print(told)


def paths_of(catalogue: Path, images: Path, home: Path) -> tuple[str | Path, ...]:
    """The options that name a catalogue and the folder of models."""
    return "--catalogue", catalogue, "--images", images, "--models", home / "models"


def taught(row: dict[str, str]) -> bool:
    """Whether a posting's product teaches the matcher."""
    return bool(training_groups([row["label_group"]], TRAIN_SHARE, SEED)[0])


def mean_f1(url: str, rows: list[dict[str, str]], catalogue: list[dict[str, str]]) -> float:
    """Of the matches of some postings, themselves included, as the competition counts it."""
    group_of = {row["posting_id"]: row.get("label_group") for row in catalogue}
    sizes = Counter(group_of.values())
    found = []
    for row in rows:
        matches = get(f"{url}/postings/{quote(row['posting_id'])}/matches?limit=50")["matches"]
        right = 1 + sum(group_of[match["posting_id"]] == row["label_group"] for match in matches)
        found.append(2 * right / (1 + len(matches) + sizes[row["label_group"]]))
    return sum(found) / max(1, len(found))


def activate(url: str) -> None:
    """Let the matcher that was written last serve, and wait until it does."""
    request = urllib.request.Request(f"{url}/models/matcher", b'{"version": "1"}', {"Content-Type": JSON}, method="PUT")
    with urllib.request.urlopen(request, timeout=SECONDS):
        pass
    until = time.monotonic() + SECONDS
    while get(f"{url}/models")["matcher"] != "matcher/1":
        if time.monotonic() > until:
            sys.exit("the matcher was activated, and does not serve")
        time.sleep(0.2)


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--catalogue", type=Path, help="CSV of your own postings")
    parser.add_argument("--images", type=Path, help="folder of their images")
    parser.add_argument("--once", action="store_true", help="stop after the first answer")
    options = parser.parse_args()
    if (options.catalogue is None) != (options.images is None):
        parser.error("--catalogue and --images go together")
    return options


def find_catalogue(options: argparse.Namespace) -> tuple[Path, Path, Path]:
    """The user's catalogue or a drawn one, its images, and where the demo keeps what belongs to it."""
    if options.catalogue is not None:
        content = options.catalogue.read_bytes() if options.catalogue.is_file() else b""
        identity = hashlib.sha256(content).hexdigest()[:8]
        return options.catalogue, options.images, FOLDER / f"own-{identity}"
    home = FOLDER / "sample"
    if not (home / "catalogue.csv").is_file():
        shutil.rmtree(home, ignore_errors=True)  # left by a run that was stopped while drawing
        say("Drawing a sample catalogue, of a shop where colours, flavours and sizes of a product are one product")
        pricematch("sample", "--postings", POSTINGS, "--no-variants", "--output", home)
    return home / "catalogue.csv", home / "images", home


def is_small(catalogue: Path) -> bool:
    """Whether the file has few lines; what is wrong with it, the training will say."""
    if not catalogue.is_file():
        return True
    with catalogue.open("rb") as file:
        return sum(1 for _ in itertools.islice(file, SMALL + 1)) <= SMALL


def say(what: str) -> None:
    """A heading."""
    console.print(f"\n[bold]{what}[/bold]")


def pricematch(*arguments: str | Path) -> None:
    """Run a verb of the command line; end with its exit code if it fails."""
    code = subprocess.run([*PRICEMATCH, *map(str, arguments)], check=False).returncode
    if code:
        sys.exit(code)


@contextmanager
def service(arguments: list[str | Path]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A running service that is ready, and its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [*PRICEMATCH, "serve", "--port", str(port), *map(str, arguments)],
        env=os.environ | {"PRICEMATCH_ACCESS_LOG": "false"},
    )
    try:
        while not is_ready(url):
            if process.poll() is not None:
                sys.exit(process.returncode)
            time.sleep(0.2)
        yield url, process
    except KeyboardInterrupt:
        pass
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def free_port() -> int:
    """The usual port, or any free one where that is taken."""
    for port in (PORT, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as listener:
                return int(listener.getsockname()[1])
        except OSError:
            continue
    sys.exit("no free port")


def is_ready(url: str) -> bool:
    """Whether the service can answer."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def pick_query(catalogue: Path) -> dict[str, str]:
    """A posting of the largest known group that has at most 8 members, or the first where no group is known."""
    rows = read_rows(catalogue)
    sizes = Counter(row.get("label_group") for row in rows if row.get("label_group"))
    fitting = [row for row in rows if 2 <= sizes[row.get("label_group")] <= 8]
    return max(fitting, key=lambda row: sizes[row["label_group"]], default=rows[0])


def read_rows(catalogue: Path) -> list[dict[str, str]]:
    """The catalogue's rows."""
    with catalogue.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def get(url: str) -> dict[str, Any]:
    """The answer of a GET."""
    with urllib.request.urlopen(url, timeout=SECONDS) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def ask(url: str, images: Path, query: dict[str, str]) -> dict[str, Any]:
    """The answer of POST /match to a posting's image, and its title if there is one."""
    image, title = images / query["image"], query.get("title", "")
    boundary = uuid.uuid4().hex
    form = b""
    for field, content in (('image"; filename="image', image.read_bytes()), ("title", title.encode())):
        if content:
            form += f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n'.encode()
            form += content + b"\r\n"
    form += f"--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    request = urllib.request.Request(f"{url}/match?limit=6", form, headers)
    with urllib.request.urlopen(request, timeout=SECONDS) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def print_answer(query: dict[str, str], answer: dict[str, Any], catalogue: Path) -> None:
    """The matches as a table, with what the catalogue knows of them."""
    groups = {row["posting_id"]: row.get("label_group") for row in read_rows(catalogue)}
    models = ", ".join(f"{name} {version}" for name, version in answer["models"].items())
    table = Table(
        title=f"POST /match with {query['image']}: {query.get('title', '')}",
        caption=f"{models}, probabilities {answer['probabilities']}, {answer['took_ms']} ms",
    )
    for column in ("posting_id", "probability", "same?"):
        table.add_column(column, no_wrap=True)
    table.add_column("title, and why")
    for match in answer["matches"]:
        group = groups[match["posting_id"]]
        verdict = "unknown" if not group else "yes" if group == query.get("label_group") else "no"
        why = [f"{'+' if reason['weight'] > 0 else '−'} {reason['text']}" for reason in match["evidence"]["reasons"]]
        sure = f"{match['probability']:.3f}\n{match['level'].replace('_', ' ')}"
        table.add_row(match["posting_id"], sure, verdict, escape("\n".join([match["title"], *why])))
    console.print(table)


def print_curl(url: str, image: Path, query: dict[str, str]) -> None:
    """Lines to try."""
    title = f" -F {shlex.quote('title=' + query['title'])}" if query.get("title") else ""
    request = '{"posting_ids": "all", "method": "matcher"}'
    print(
        f"\nTry it yourself:\n"
        f"  curl -F image=@{shlex.quote(str(image))}{title} '{url}/match?limit=5'\n"
        f"  curl '{url}/postings/{query['posting_id']}/matches?limit=5'\n"
        f"  curl -H 'Content-Type: application/json' -d '{request}' {url}/cluster"
    )


if __name__ == "__main__":
    main()
