"""The service as one would first write it: FastAPI's pool of threads, one call of the network a request.

python benchmarks/naive_service.py PORT CATALOGUE BFLOAT16 MODEL...

The work is that of `user_search.py`; CATALOGUE is its file, MODEL the SavedModels, BFLOAT16 is 0 or 1.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

from user_search import Search


def main(port: int, search: Search) -> None:
    """Serve."""
    import uvicorn
    from fastapi import FastAPI, File, Form

    app = FastAPI()

    @app.get("/readyz")
    def readyz() -> str:
        return "ready"

    @app.post("/match")
    def match(
        image: Annotated[bytes | None, File()] = None, title: Annotated[str | None, Form()] = None
    ) -> dict[str, Any]:
        return {"matches": search.find([search.query(image, title)])[0]}

    uvicorn.run(app, port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]), Search(Path(sys.argv[2]), list(map(Path, sys.argv[4:])), bfloat16=sys.argv[3] == "1"))
