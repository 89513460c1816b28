"""What endpoints ask for."""

from typing import Annotated

from fastapi import Depends, Path, Request

from pricematch.api.state import Ready, Service
from pricematch.api.worker import Worker, state_of
from pricematch.catalogue.postings import POSTING_ID_PATTERN

# asynchronous though they wait for nothing: FastAPI runs the others in threads, which takes longer than they do


async def _service(request: Request) -> Service:
    return state_of(request).service


async def _ready(request: Request) -> Ready:
    return state_of(request).service.ready()


async def _worker(request: Request) -> Worker:
    return Worker(request)


ServiceDep = Annotated[Service, Depends(_service)]
ReadyDep = Annotated[Ready, Depends(_ready)]
WorkerDep = Annotated[Worker, Depends(_worker)]
PostingId = Annotated[str, Path(pattern=POSTING_ID_PATTERN, description="Id of a stored posting.")]
