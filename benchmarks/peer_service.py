"""The same behind LitServe, which batches.

PYTHON_OF_ITS_VENV benchmarks/peer_service.py PORT CATALOGUE BFLOAT16 MODEL...

Arguments and work are those of `naive_service.py`; images come in base64, as in LitServe's own examples.
"""

import base64
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import litserve

BATCH, BATCH_SECONDS = 32, 0.005


class Match(litserve.LitAPI):  # type: ignore[misc]
    """Decodes, encodes, searches."""

    def setup(self, device: str) -> None:  # noqa: ARG002 — LitServe's signature
        """Load models and catalogue, in the process that calls them."""
        sys.path.insert(0, str(Path(__file__).parent))
        from user_search import Search

        self._search = Search(Path(sys.argv[2]), list(map(Path, sys.argv[4:])), bfloat16=sys.argv[3] == "1")

    def decode_request(self, request: Mapping[str, str]) -> Any:
        """Image and title, decoded."""
        image = base64.b64decode(request["image"]) if "image" in request else None
        return self._search.query(image, request.get("title"))

    def batch(self, inputs: list[Any]) -> Any:
        """Queries stay a list."""
        return inputs

    def predict(self, x: Any) -> Any:
        """Matches of several requests."""
        return self._search.find(x)

    def unbatch(self, output: Any) -> Any:
        """One a request."""
        return output

    def encode_response(self, output: Any) -> dict[str, Any]:
        """What is answered."""
        return {"matches": output}


if __name__ == "__main__":
    api = Match(max_batch_size=BATCH, batch_timeout=BATCH_SECONDS, api_path="/match")
    server = litserve.LitServer(api, accelerator="cpu", healthcheck_path="/readyz", timeout=60)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
