"""The whole road in one command: draw a catalogue, train on it, serve it, ask it over HTTP.

    python examples/demo.py [--catalogue CSV --images DIR] [--once]

Everything is kept in demo/ and used again by the next run.
"""

import argparse
import csv
import hashlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

PRICEMATCH = [sys.executable, "-m", "app"]
FOLDER = Path("demo")
POSTINGS = "300"
SMALL = 2000
SMALL_TRAINING = ("--epochs", "8", "--batch", "8", "--autoencoder-epochs", "20")
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
    say("Starting the service")
    arguments: list[str | Path] = [
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
        answer = post_picture(f"{url}/match?limit=8", images / query["image"])
        print_answer(query, answer, catalogue)
        if trains:
            print(f"\nFrom nothing to this answer: {time.monotonic() - started:.0f} seconds")
        print_curl(url, images / query["image"], query["posting_id"])
        if not options.once:
            print(f"\nThe service stays up at {url} (try it at {url}/docs). Ctrl-C stops it.", flush=True)
            process.wait()


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--catalogue", type=Path, help="CSV of your own postings")
    parser.add_argument("--images", type=Path, help="folder of their pictures")
    parser.add_argument("--once", action="store_true", help="stop after the first answer")
    options = parser.parse_args()
    if (options.catalogue is None) != (options.images is None):
        parser.error("--catalogue and --images go together")
    return options


def find_catalogue(options: argparse.Namespace) -> tuple[Path, Path, Path]:
    """The user's catalogue or a drawn one, its pictures, and where the demo keeps what belongs to it."""
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


def post_picture(url: str, picture: Path) -> dict[str, Any]:
    """The answer of POST /match."""
    request = urllib.request.Request(url, picture.read_bytes(), {"Content-Type": "image/*"})
    with urllib.request.urlopen(request, timeout=30) as response:
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
    for column in ("posting_id", "title", "similarity", "same product?"):
        table.add_column(column)
    for match in answer["matches"]:
        group = groups[match["posting_id"]]
        verdict = "unknown" if not group else "yes" if group == query.get("label_group") else "no"
        table.add_row(match["posting_id"], match["title"], f"{match['similarity']:.5f}", verdict)
    console.print(table)


def print_curl(url: str, picture: Path, posting_id: str) -> None:
    """Lines to try."""
    print(
        f"\nTry it yourself:\n"
        f"  curl -F image=@{picture} '{url}/match?limit=5'\n"
        f"  curl '{url}/postings/{posting_id}/matches?limit=5'\n"
        f'  curl -H \'Content-Type: application/json\' -d \'{{"posting_ids": "all", "eps": 0.005}}\' {url}/cluster'
    )


if __name__ == "__main__":
    main()
