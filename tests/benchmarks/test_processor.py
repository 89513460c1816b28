"""A lesser processor is simulated for processes that are started meanwhile, and for no others."""

import os
import subprocess
import sys

import pytest
from processor import described, lesser


def test_only_processes_started_meanwhile_see_a_lesser_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both names of the limit are set to the same, and a variable that was there before is back afterwards."""
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE")
    shown = "import os; print(os.environ['ONEDNN_MAX_CPU_ISA'], os.environ['OV_CPU_MAX_ISA'])"
    with lesser("AVX2"):
        printed = subprocess.run([sys.executable, "-c", shown], check=True, capture_output=True, text=True).stdout
    assert printed.split() == ["AVX2", "AVX2"]
    assert os.environ["ONEDNN_MAX_CPU_ISA"] == "AVX512_CORE"
    assert "OV_CPU_MAX_ISA" not in os.environ


def test_a_description_names_every_flag_once_and_the_limit() -> None:
    """A flag is either there or not, so that figures say which processor they are of."""
    text = described("AVX2")
    for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16"):
        assert text.split().count(flag) + text.split().count(f"{flag};") == 1
    assert text.endswith("limited to AVX2")
