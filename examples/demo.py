"""The whole road in one command: draw a catalogue, train encoders and a matcher on it, serve it, ask it over HTTP.

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

from rich.console import Console
from rich.markup import escape
from rich.table import Table

PRICEMATCH = [sys.executable, "-m", "pricematch"]
FOLDER = Path("demo")
POSTINGS = "120"
SMALL = 2000
LEAST_GROUPS = 10
SMALL_TRAINING = ("--epochs", "2", "--batch", "8", "--autoencoder-epochs", "10")
ENCODER = ("--encoder", "autoencoder")
"""The one that is trained here, instead of the default one, which needs no training."""
PORT = 8000

console = Console()


def main() -> None:
    """Run the demo."""
    options = parse_options()
    started = time.monotonic()
    catalogue, images, home = find_catalogue(options)
    models = home / "models"
    trains = not (models / "autoencoder").is_dir()
    if not trains:
        say(f"Using the models of before in {models}; `make clean` starts anew")
    else:
        say("Training the convolutional autoencoder and the autoencoder on its latents")
        options_of_training = SMALL_TRAINING if is_small(catalogue) else ("--epochs", "1")
        paths = ("--catalogue", catalogue, "--images", images, "--models", models)
        pricematch("train", "encoder", *options_of_training, *paths)
    if not (models / "matcher").is_dir():
        train_matcher(catalogue, images, home)
    say("Starting the service")
    arguments: list[str | Path] = [
        *ENCODER,
        "--catalogue",
        catalogue,
        "--images",
        images,
        "--models",
        models,
        "--data",
        home / "data",
    ]
    with service(arguments) as (url, process):
        query = pick_query(catalogue)
        by_matcher = (models / "matcher").is_dir()
        answer = post(f"{url}/match?limit=6", images / query["image"], query.get("title", "") if by_matcher else "")
        print_answer(query, answer, catalogue)
        if trains:
            print(f"\nFrom nothing to this answer: {time.monotonic() - started:.0f} seconds")
        print_curl(url, images / query["image"], query, by_matcher=by_matcher)
        if not options.once:
            print(f"\nThe service stays up at {url} (try it at {url}/docs). Ctrl-C stops it.", flush=True)
            process.wait()


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
        say("Drawing a sample catalogue")
        pricematch("sample", "--postings", POSTINGS, "--output", home)
    return home / "catalogue.csv", home / "images", home


def is_small(catalogue: Path) -> bool:
    """Whether the file has few lines; what is wrong with it, the training will say."""
    if not catalogue.is_file():
        return True
    with catalogue.open("rb") as file:
        return sum(1 for _ in itertools.islice(file, SMALL + 1)) <= SMALL


def train_matcher(catalogue: Path, images: Path, home: Path) -> None:
    """A matcher of what the catalogue has; none where too few of its products are known."""
    rows = read_rows(catalogue)
    sizes = Counter(row.get("label_group") for row in rows if row.get("label_group"))
    groups = sum(size > 1 for size in sizes.values())
    if groups < LEAST_GROUPS:
        say(f"{groups} products with several postings teach no matcher: similarity decides")
        return
    say(f"Training a matcher on {groups} products with several postings")
    signals = "hash,title,image" if any(row.get("title") for row in rows) else "hash,image"
    paths = ("--catalogue", catalogue, "--images", images, "--models", home / "models", "--data", home / "data")
    pricematch("train", "matcher", "--signals", signals, *ENCODER, *paths)


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


def post(url: str, image: Path, title: str) -> dict[str, Any]:
    """The answer of POST /match to an image, and its title if there is one."""
    boundary = uuid.uuid4().hex
    form = b""
    for field, content in (('image"; filename="image', image.read_bytes()), ("title", title.encode())):
        if content:
            form += f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n'.encode()
            form += content + b"\r\n"
    form += f"--{boundary}--\r\n".encode()
    request = urllib.request.Request(url, form, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
    with urllib.request.urlopen(request, timeout=300) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def print_answer(query: dict[str, str], answer: dict[str, Any], catalogue: Path) -> None:
    """The matches as a table, with what the catalogue knows of them."""
    groups = {row["posting_id"]: row.get("label_group") for row in read_rows(catalogue)}
    models = ", ".join(f"{name} {version}" for name, version in answer["models"].items())
    table = Table(
        title=f"POST /match with {query['image']}: {query.get('title', '')}",
        caption=f"{models}, {answer['took_ms']} ms",
    )
    by_matcher = answer["decided_by"] == "probability"
    for column in ("posting_id", "probability" if by_matcher else "similarity", "same?"):
        table.add_column(column, no_wrap=True)
    table.add_column("title, and why" if by_matcher else "title")
    for match in answer["matches"]:
        group = groups[match["posting_id"]]
        verdict = "unknown" if not group else "yes" if group == query.get("label_group") else "no"
        sure, why = certainty(match, by_matcher=by_matcher)
        table.add_row(match["posting_id"], sure, verdict, escape("\n".join([match["title"], *why])))
    console.print(table)


def certainty(match: dict[str, Any], *, by_matcher: bool) -> tuple[str, list[str]]:
    """How sure a match is, and why."""
    if not by_matcher:
        return f"{match['similarity']:.5f}", []
    why = [f"{'+' if reason['weight'] > 0 else '−'} {reason['text']}" for reason in match["evidence"]["reasons"]]
    return f"{match['probability']:.3f}\n{match['level'].replace('_', ' ')}", why


def print_curl(url: str, image: Path, query: dict[str, str], *, by_matcher: bool) -> None:
    """Lines to try."""
    title = f" -F {shlex.quote('title=' + query.get('title', ''))}" if by_matcher and query.get("title") else ""
    request = '{"posting_ids": "all", "method": "matcher"}' if by_matcher else '{"posting_ids": "all", "eps": 0.005}'
    print(
        f"\nTry it yourself:\n"
        f"  curl -F image=@{shlex.quote(str(image))}{title} '{url}/match?limit=5'\n"
        f"  curl '{url}/postings/{query['posting_id']}/matches?limit=5'\n"
        f"  curl -H 'Content-Type: application/json' -d '{request}' {url}/cluster"
    )


if __name__ == "__main__":
    main()
