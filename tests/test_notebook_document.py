"""The code of docs/notebook.md runs as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pricematch.sample.catalogue import write_sample
from tests.support.waiting import SAFETY_SECONDS

pytestmark = [pytest.mark.process, pytest.mark.slow]

BLOCKS = re.findall(
    r"```python\n(.*?)```", (Path(__file__).parents[1] / "docs" / "notebook.md").read_text(encoding="utf-8"), re.DOTALL
)


def test_the_document_runs(tmp_path: Path) -> None:
    """Beside a drawn catalogue; it prints matches and figures, and leaves the files that it names."""
    write_sample(tmp_path, 60, 0, lambda _done, _total: None)
    ran = subprocess.run(
        [sys.executable, "-c", "\n".join(BLOCKS)],
        cwd=tmp_path,
        env=os.environ | {"PRICEMATCH_WORKERS": "1"},
        capture_output=True,
        text=True,
        timeout=SAFETY_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "sample_0000" in ran.stdout
    assert "ShopTraining" in ran.stdout
    assert {"reliability.png", "evaluated", "shop"} <= {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / "evaluated" / "report.html").exists()
