"""POST /cluster: which of these belong together?"""

from typing import Any

from fastapi import APIRouter, Request

from app.api.bodies import JSON, MULTIPART, read_batch
from app.api.dependencies import ReadyDep, ServiceDep, WorkerDep
from app.api.problems import problem_of, responses
from app.api.schemas import ClusterOut, ClusterRequest, ClustersOut, ItemOut
from app.errors import LimitExceeded
from app.matching.clustering.batch import ClusteredBatch, Item, cluster_batch

router = APIRouter(tags=["cluster"])

_FIELDS = ClusterRequest.model_json_schema()["properties"]
_IMAGES = {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "Pictures to cluster."}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"type": "object", "required": ["posting_ids"], "properties": _FIELDS}},
            MULTIPART: {"schema": {"type": "object", "properties": {"images": _IMAGES, **_FIELDS}}},
        },
    }
}


@router.post("/cluster", responses=responses(400, 413, 415, 422, 500, 503), openapi_extra=_BODY)
async def cluster(request: Request, service: ServiceDep, ready: ReadyDep, worker: WorkerDep) -> ClustersOut:
    """Cluster stored postings and pictures; a bad item gets its own problem and does not fail the rest."""
    asked, images = await read_batch(request, service.settings)
    posting_ids = asked.posting_ids
    if posting_ids == "all":
        posting_ids = [posting.posting_id for posting in ready.matcher.catalogue]
        if len(posting_ids) > (limit := service.settings.max_cluster_postings):
            raise LimitExceeded(f"expected at most {limit} postings, the catalogue holds {len(posting_ids)}")
    batch = await worker.run(
        lambda: cluster_batch(
            ready.matcher,
            posting_ids,
            images,
            asked.method,
            asked.eps,
            asked.min_samples,
            service.settings.max_cluster_pairs,
        )
    )
    return ClustersOut(
        models=dict(ready.matcher.versions),
        took_ms=worker.took_ms(),
        method=asked.method,
        eps=asked.eps,
        items=[_item(item) for item in batch.items],
        clusters=[_cluster(number, batch) for number in range(len(batch.clusters))],
    )


def _item(item: Item) -> ItemOut:
    problem = None if item.problem is None else problem_of(item.problem)
    status = "problem" if problem else "noise" if item.cluster is None else "clustered"
    return ItemOut(posting_id=item.posting_id, image=item.image, status=status, cluster=item.cluster, problem=problem)


def _cluster(number: int, batch: ClusteredBatch) -> ClusterOut:
    members = [batch.items[position] for position in batch.clusters[number]]
    return ClusterOut(
        cluster=number,
        posting_ids=[item.posting_id for item in members if item.posting_id is not None],
        images=[item.image for item in members if item.image is not None],
    )
