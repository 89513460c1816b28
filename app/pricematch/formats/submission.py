"""`submission.csv`: matches in the format of Kaggle's Shopee price-match competition."""

from collections.abc import Sequence
from pathlib import Path

from pricematch.formats.whole_file import write_whole
from pricematch.search.lists import Lists


def write_submission(path: Path, posting_ids: Sequence[str], lists: Lists) -> None:
    """Write `posting_id,matches`, whole or not at all; the matches have spaces between them, the posting itself first.

    Args:
        path: the file, replaced if it is there.
        posting_ids: of n postings; none holds a comma or a space.
        lists: of the same n, 50 each at most.

    Raises:
        SettingsError: the file cannot be written.
    """
    lines = ["posting_id,matches"]
    lines += [f"{name},{' '.join(posting_ids[row] for row in lists[line])}" for line, name in enumerate(posting_ids)]
    write_whole(path, ("\n".join(lines) + "\n").encode())
