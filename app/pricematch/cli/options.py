"""Options that several verbs take."""

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from pricematch.settings import Settings


def setting(name: str, text: str) -> Any:
    """An option that is a setting as well; its help names environment variable and default."""
    default = Settings.model_fields[name].default
    otherwise = "" if default in (None, (), "") else f", default: {default}"
    return typer.Option(help=f"{text} (env: PRICEMATCH_{name.upper()}{otherwise})")


Catalogue: TypeAlias = Annotated[
    Path | None, setting("catalogue", "CSV with posting_id, image or title, and perhaps image_phash, label_group.")
]
Images: TypeAlias = Annotated[Path | None, setting("images", "Folder of the images.")]
ImagesIfAny: TypeAlias = Annotated[
    Path | None, setting("images", "Folder of the images; left out if it is not named and holds none of them.")
]
Models: TypeAlias = Annotated[Path | None, setting("models", "Folder of exported models.")]
Data: TypeAlias = Annotated[Path | None, setting("data", "Folder to keep embeddings in.")]
StoreFolder: TypeAlias = Annotated[Path | None, setting("data", "Folder of the store.")]
Namespace: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Namespace whose store and models are meant, below the data folder; the default one if absent.",
    ),
]
Encoder: TypeAlias = Annotated[
    str | None, setting("encoder", "cnn (256 values, needs no training), cae (2,048) or autoencoder (64).")
]
EncoderVersion: TypeAlias = Annotated[str | None, setting("encoder_version", "The newest if absent.")]
EmbeddingArray: TypeAlias = Annotated[
    Path | None,
    typer.Option("--embeddings", help="NumPy file, float32 [n, d], row i for row i of the CSV; instead of images."),
]
Signals: TypeAlias = Annotated[
    str, typer.Option(metavar="SIGNALS", help="hash, title, image: one or more, with commas between them.")
]
Verdicts: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="What people decided on pairs of postings, which overrules label groups: a file as `pricematch verdicts "
        "export` writes it, or the data folder of a service."
    ),
]
SkipBadImages: TypeAlias = Annotated[
    bool | None,
    typer.Option("--skip-bad-images", help="Go on without missing or unreadable images, and say how many."),
]
Encoding: TypeAlias = Annotated[
    str | None, setting("csv_encoding", "Encoding of the file, such as utf-8, utf-16 or cp1252; auto detects it.")
]
Delimiter: TypeAlias = Annotated[
    str | None, setting("csv_delimiter", "comma, semicolon, tab or pipe; auto detects it.")
]
Output: TypeAlias = Annotated[Path, typer.Option(help="Image file to write; its ending chooses the format.")]
OutputFolder: TypeAlias = Annotated[Path, typer.Option("--output", help="Folder to write into; made if absent.")]
