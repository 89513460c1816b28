"""Exported encoders by their manifests: whole files that hold no network."""

from pathlib import Path
from typing import Any

from pricematch.formats.manifest import (
    Manifest,
    Origin,
    TensorDescription,
    digests,
    write,
)

PIXELS = TensorDescription(name="pixels", shape=(None, 16, 16, 3), dtype="uint8")
LATENTS = TensorDescription(name="latents", shape=(None, 48), dtype="float32")
EMBEDDING = TensorDescription(name="embedding", shape=(None, 6), dtype="float32")

FILES = {"saved_model.pb": b"graph", "golden.npz": b"golden", "variables/variables.index": b"index"}


def export(models: Path, name: str, version: str, **changes: Any) -> Path:
    """Write a version whose files are whole and whose manifest fits them, but for the changes."""
    path = models / name / version
    for relative, content in FILES.items():
        (path / relative).parent.mkdir(parents=True, exist_ok=True)
        (path / relative).write_bytes(content)
    fields: dict[str, Any] = {
        "name": name,
        "version": version,
        "created": "2024-01-01T00:00:00+00:00",
        "recipe": {},
        "seed": 0,
        "input": PIXELS if name == "cae" else LATENTS,
        "output": LATENTS if name == "cae" else EMBEDDING,
        "losses": {"loss": [0.5]},
        "counts": {"images": 1},
        "catalogue_digest": "c",
        "weights_digest": f"weights of {name} {version}",
        "input_encoder": None,
        "libraries": {},
        "files": dict(digests(path)),
    }
    write(path, Manifest(**fields | changes))
    return path


def origin(models: Path, version: str = "1") -> Origin:
    return Origin(name="cae", version=version, weights_digest=f"weights of cae {version}")
