"""What the verbs print and write."""

import json
import re
from typing import Any

from tests.support.golden.checkout import Checkout, comparable

VERDICTS = """posting_id,other_posting_id,verdict
sample_000000,sample_000001,same
sample_000002,sample_000003,different
"""
VERBS = (
    "train matcher --train-share 0.5 --verdicts verdicts.csv",
    "train matcher --signals hash,title,image --train-share 0.6",
    "evaluate --signals hash,title,image --matcher auto --output evaluated",
    "sweep --skip-bad-images --eps 0.1:1:0.2 --output swept",
    "explore --output explored",
    "show matches sample_000000 --count 12",
    "submit --matcher auto --output by_matcher.csv",
    "submit --report evaluated/report.json --output by_report.csv",
    "submit --threshold hash=6 --threshold title=0.6 --output by_two.csv",
    "submit --skip-bad-images --method ensemble --eps 0.7 --output by_ensemble.csv",
)


def offline(checkout: Checkout) -> dict[str, Any]:
    """What the verbs print and write; the last matcher that they train is the newest."""
    folder = checkout.folder
    (folder / "verdicts.csv").write_text(VERDICTS, encoding="utf-8")
    found: dict[str, Any] = {verb: checkout.run(*verb.split()) for verb in VERBS}
    for path in sorted([*folder.glob("*/*.json"), *folder.glob("models/matcher/*/manifest.json")]):
        found[str(path.relative_to(folder))] = comparable(json.loads(path.read_text(encoding="utf-8")))
    for path in sorted(folder.glob("by_*.csv")):
        found[path.name] = path.read_text(encoding="utf-8").splitlines()
    for path in sorted(folder.glob("*/*.html")):
        shown = re.sub(r"(?s)<style.*?</style>|<script.*?</script>|<[^>]*>", "\n", path.read_text(encoding="utf-8"))
        found[str(path.relative_to(folder))] = [line.strip() for line in shown.splitlines() if line.strip()]
    return found
