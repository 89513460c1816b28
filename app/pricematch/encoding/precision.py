"""Which arithmetic the networks run in."""

from pathlib import Path


def resolve_precision(precision: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """`auto` becomes bfloat16 where the processor multiplies it natively (AVX512-BF16 or AMX-BF16), else float32."""
    if precision != "auto":
        return precision
    flags = cpuinfo.read_text(encoding="ascii", errors="replace") if cpuinfo.is_file() else ""
    return "bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"
