"""`pricematch serve`."""

import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.cli.options import setting
from pricematch.cli.outcome import FLAG, write_document
from pricematch.encoding.worker_launch import launched_workers
from pricematch.settings import load_settings


def serve(
    *,
    catalogue: options.Catalogue = None,
    images: options.ImagesIfAny = None,
    models: options.Models = None,
    data: Annotated[
        Path | None, setting("data", "Folder of the store: the catalogue that is served, and all that is kept of it.")
    ] = None,
    host: Annotated[str | None, setting("host", "Address to listen on.")] = None,
    port: Annotated[int | None, setting("port", "TCP port, 0 for a free one.")] = None,
    root_path: Annotated[
        str | None, setting("root_path", "Path below which a proxy serves it, such as /match-api.")
    ] = None,
    encoder: options.Encoder = None,
    encoder_version: options.EncoderVersion = None,
    encoders: Annotated[
        str | None, setting("encoders", "Encoders held besides, with commas between them; requests may name them.")
    ] = None,
    matcher: Annotated[
        str | None, setting("matcher", "A trained version, default, auto for the newest or else default, or none.")
    ] = None,
    skip_bad_images: options.SkipBadImages = None,
    api_keys_file: Annotated[
        Path | None,
        setting("api_keys_file", "File of API keys, as `pricematch key` writes it."),
    ] = None,
    no_auth: Annotated[
        bool | None, typer.Option("--no-auth", help="Ask for no key although other machines can reach the address.")
    ] = None,
    log_format: Annotated[
        str | None, setting("log_format", "json, text, or auto: text on a terminal, JSON lines elsewhere.")
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(FLAG, help="Write the address to stdout as a JSON document once it listens, and log JSON lines."),
    ] = False,
) -> None:
    """Answer HTTP: POST /match, GET /postings/{posting_id}/matches, POST /cluster; try them at /docs.

    Listening on anything but this machine takes API keys (`pricematch key`), or --no-auth. Every setting, limits
    included, can be given in the environment as PRICEMATCH_…; see docs/operations.md.
    """
    settings = load_settings(
        catalogue=catalogue,
        images=images,
        models=models,
        data=data,
        host=host,
        port=port,
        root_path=root_path,
        encoder=encoder,
        encoder_version=encoder_version,
        encoders=encoders,
        matcher=matcher,
        skip_bad_images=skip_bad_images,
        api_keys_file=api_keys_file,
        no_auth=no_auth,
        log_format=log_format or ("json" if as_json else None),
    )
    with launched_workers(settings.workers) as launched:
        with _uncollected():
            # here, since it takes longer than a second: the processes that encode import meanwhile what they need
            from pricematch.api import server
            from pricematch.api.logs import install_logs

        install_logs(settings.log_format)
        with terminal.progress_bars(logging.getLogger("pricematch").info) as bars:
            server.serve(settings, bars, launched, _tell if as_json else None)


def _tell(address: str) -> None:
    """Write where the service listens, and which process it is."""
    write_document({"address": address, "process": os.getpid()})
    sys.stdout.flush()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let the garbage collector never scan the objects of imports, which live as long as the process.

    It would scan them hundreds of times while they become more, and find nothing: that takes a tenth of the start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
