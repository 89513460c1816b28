"""The same SavedModels behind LitServe, which batches: JPEG bytes in, embedding out; it need not even search.

PYTHON_OF_ITS_VENV benchmarks/peer_service.py MODELS PORT
"""

import base64
import sys
from pathlib import Path
from typing import Any

import litserve
import numpy as np

SIDE, MAX_PIXELS, BATCH = 256, 25_000_000, 32
BATCH_SECONDS = 0.005


class Embed(litserve.LitAPI):  # type: ignore[misc]
    """Decodes, encodes, gives the embedding."""

    def setup(self, device: str) -> None:  # noqa: ARG002 — LitServe's signature
        """Load the models, in the process that calls them."""
        sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
        from naive_service import Networks

        from pricematch.encoding.decoder import PillowDecoder

        self._decoder, self._networks = PillowDecoder(SIDE, MAX_PIXELS), Networks(Path(sys.argv[1]))

    def decode_request(self, request: dict[str, str]) -> Any:
        """JPEG bytes to pixels."""
        return self._decoder.decode(base64.b64decode(request["image"]))

    def batch(self, inputs: list[Any]) -> Any:
        """Pixels of several requests."""
        return np.stack(inputs)

    def predict(self, x: Any) -> Any:
        """Embeddings of several requests."""
        return self._networks.encode(x)

    def unbatch(self, output: Any) -> list[Any]:
        """One a request."""
        return list(output)

    def encode_response(self, output: Any) -> dict[str, Any]:
        """What is answered."""
        return {"embedding": output.tolist()}


if __name__ == "__main__":
    api = Embed(max_batch_size=BATCH, batch_timeout=BATCH_SECONDS, api_path="/match")
    server = litserve.LitServer(api, accelerator="cpu", healthcheck_path="/readyz", timeout=60)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
