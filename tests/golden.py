"""Golden answers: what one checkout answers through its command line and over HTTP, to compare with another's.

    python tests/golden.py record --pricematch EXECUTABLE --output FILE.json [--work FOLDER]
    python tests/golden.py compare BEFORE.json AFTER.json

`record` asks through nothing but the checkout's `pricematch` (with `PYTHONPATH=CHECKOUT/app` for one that is not
installed), and takes about four minutes; leave the checkout alone until it has ended. Record the commit before and the
one after on the same machine and with the same `--work`: the catalogue and the encoders are made there by whoever comes
first and serve both, since their training is not what is compared. Everything else, stores and matchers included, is
made anew each time.

`compare` wants ids, order and texts to be equal and numbers to be within 1e-5, absolute or relative. It prints every
difference and exits 1 if there is one. Recordings depend on the processor and are not committed.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOLERANCE = 1e-5


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Every difference of two recordings, with the path that leads to it."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            if key not in before or key not in after:
                yield f"{path}/{key}: only {'after' if key in after else 'before'}"
            else:
                yield from differences(before[key], after[key], f"{path}/{key}")
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            yield f"{path}: {len(before)} items before, {len(after)} after"
        for index, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from differences(one, other, f"{path}[{index}]")
    elif not _alike(before, after):
        yield f"{path}: {before!r} before, {after!r} after"


def _alike(before: Any, after: Any) -> bool:
    """Whether two scalars are equal; a float only nearly so."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (before, after))
    if numbers and isinstance(before + after, float):
        both_nan = math.isnan(before) and math.isnan(after)
        return both_nan or math.isclose(before, after, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return type(before) is type(after) and bool(before == after)


def main() -> None:
    """Record or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record", help="ask a checkout everything")
    recording.add_argument("--pricematch", type=Path, required=True, help="executable of the checkout")
    recording.add_argument("--output", type=Path, required=True, help="JSON file to write")
    recording.add_argument("--work", type=Path, help="folder that is kept: catalogue and encoders for all recordings")
    comparing = verbs.add_parser("compare", help="print the differences of two recordings")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.verb == "record":
        sys.path.insert(0, str(Path(__file__).parents[1]))  # a script's own folder stands there instead
        from tests.support.golden.record import record

        with tempfile.TemporaryDirectory() as forgotten:
            record(options.pricematch.absolute(), options.output, (options.work or Path(forgotten)).absolute())
        return
    before, after = (json.loads(path.read_text(encoding="utf-8")) for path in (options.before, options.after))
    found = list(differences(before, after))
    print(*found, f"{len(found)} differences", sep="\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
