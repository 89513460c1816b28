"""The processor that a benchmark ran on: its flags, its peak, and how a lesser one is simulated."""

import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

SIDES = (192, 384, 768)
"""Of the square matrices whose product measures the peak: three of the first fit in 512 KiB, where the second-level
cache of a core is no smaller; the others are read in blocks that fit."""
_FLAGS = ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
_OPENBLAS = {"AVX2": "Haswell", "AVX": "Sandybridge", "SSE41": "Nehalem"}


def lesser_environment(isa: str | None) -> Mapping[str, str]:
    """Variables by which TensorFlow, OpenVINO and OpenBLAS take a processor for one that has no more than `isa`.

    Args:
        isa: as oneDNN names it: `SSE41`, `AVX`, `AVX2`, `AVX512_CORE` and so on; None for the processor as it is.

    oneDNN, in TensorFlow as in OpenVINO, reads the first; OpenVINO's own kernels the second (2026.4; before, in debug
    builds only), and both must agree. NumPy's products are OpenBLAS's. Python, Pillow and LightGBM stay as they are.
    """
    if isa is None:
        return {}
    found = {"ONEDNN_MAX_CPU_ISA": isa, "OV_CPU_MAX_ISA": isa}
    return found | ({"OPENBLAS_CORETYPE": _OPENBLAS[isa]} if isa in _OPENBLAS else {})


@contextmanager
def lesser(isa: str | None) -> Iterator[None]:
    """Processes that are started meanwhile have the variables of `lesser_environment`."""
    before = dict(os.environ)
    os.environ.update(lesser_environment(isa))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def described(isa: str | None = None) -> str:
    """Name, cores and those flags of the processor that networks depend on; `isa` as in `lesser_environment`."""
    name, flags = _cpuinfo(Path("/proc/cpuinfo"))
    has = [flag for flag in _FLAGS if flag in flags]
    lacks = [flag for flag in _FLAGS if flag not in flags]
    limited = f"; networks limited to {isa}" if isa is not None else ""
    cores = f"{len(os.sched_getaffinity(0))} cores"
    return f"{name}, {cores}, with {' '.join(has) or 'none'} and without {' '.join(lacks) or 'none'}{limited}"


def lesser_of_this() -> str | None:
    """The instruction set that a lesser processor has, to be simulated: AVX2 where there is AVX-512, else None."""
    return "AVX2" if "avx512f" in _cpuinfo(Path("/proc/cpuinfo"))[1] else None


def peak_gflops(seconds: float = 0.5) -> float:
    """Most float32 operations in 1e9 a second of one core: NumPy's matrix products in one thread, the best of `SIDES`.

    Args:
        seconds: that each size is multiplied for; its quickest product counts.
    """
    draw, best = np.random.default_rng(0), 0.0
    with threadpool_limits(1):
        for side in SIDES:
            left, right = draw.random((2, side, side), np.float32)
            product = np.empty_like(left)
            until = time.perf_counter() + seconds
            while (started := time.perf_counter()) < until:
                np.matmul(left, right, out=product)
                best = max(best, 2e-9 * side**3 / (time.perf_counter() - started))
    return best


def _cpuinfo(path: Path) -> tuple[str, frozenset[str]]:
    """The name and flags of the first processor; without them where the kernel says none."""
    text = path.read_text(encoding="ascii", errors="replace") if path.is_file() else ""
    fields = dict(line.split(":", 1) for line in text.partition("\n\n")[0].splitlines() if ":" in line)
    by_name = {name.strip(): value.strip() for name, value in fields.items()}
    return by_name.get("model name", platform.machine()), frozenset(by_name.get("flags", "").split())
