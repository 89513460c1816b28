"""The service as one would first write it: one call of the network a request, in FastAPI's pool of threads.

    python benchmarks/naive_service.py CATALOGUE IMAGES MODELS PORT

It decodes, encodes and searches as `pricematch serve` does, with the same SavedModels, and answers JSON.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from catalogues import jpegs

from pricematch.catalogue.features import Embeddings, EncoderInfo, unit_rows
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.ports import Pixels
from pricematch.encoding.tensorflow_import import import_tensorflow
from pricematch.formats.manifest import find_chain
from pricematch.matching.similarity import SimilaritySearch

SIDE, MAX_PIXELS, LIMIT, BATCH = 256, 25_000_000, 10, 32


class Networks:
    """The CAE and the autoencoder, called as they were exported."""

    def __init__(self, models: Path) -> None:
        import_tensorflow()
        import tensorflow as tf

        from pricematch.encoding.encoders import resolve_precision
        from pricematch.encoding.tensorflow_network import use_precision

        use_precision(resolve_precision("auto"))
        self._tf = tf
        self._chain = find_chain(models, "autoencoder")
        self._loaded = [tf.saved_model.load(str(artefact.path)) for artefact in self._chain]

    def encode(self, pixels: Pixels) -> Embeddings:
        """Embeddings [n, 64] of pixels [n, 256, 256, 3]."""
        values: Any = self._tf.constant(pixels)
        for artefact, loaded in zip(self._chain, self._loaded, strict=True):
            manifest = artefact.manifest
            values = loaded.signatures["serving_default"](**{manifest.input.name: values})[manifest.output.name]
        return unit_rows(values.numpy(), 64)


def main(images: Path, models: Path, port: int) -> None:
    """Embed the catalogue and serve."""
    import uvicorn
    from fastapi import FastAPI, Request
    from starlette.concurrency import run_in_threadpool

    decoder, networks = PillowDecoder(SIDE, MAX_PIXELS), Networks(models)
    pixels = [decoder.decode(path.read_bytes()) for path in jpegs(images)]
    batches = [np.stack(pixels[first : first + BATCH]) for first in range(0, len(pixels), BATCH)]
    embeddings = np.concatenate([networks.encode(batch) for batch in batches])
    catalogue = Catalogue([Posting(str(row), "") for row in range(len(embeddings))])
    search = SimilaritySearch.of(EncoderInfo("autoencoder", {}, embeddings.shape[1]), catalogue, embeddings)

    def answer(image: bytes) -> dict[str, Any]:
        found = search.nearest(networks.encode(decoder.decode(image)[np.newaxis]), LIMIT)
        return {"matches": [{"posting_id": it.posting_id, "similarity": it.similarity} for it in found]}

    app = FastAPI()

    @app.get("/readyz")
    async def readyz() -> str:
        return "ready"

    @app.post("/match")
    async def match(request: Request) -> dict[str, Any]:
        return await run_in_threadpool(answer, await request.body())

    uvicorn.run(app, port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
