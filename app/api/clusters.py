"""POST /cluster: which of these belong together?"""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.api.bodies import JSON, MULTIPART, read_batch
from app.api.dependencies import ReadyDep, ServiceDep, Worker, WorkerDep
from app.api.problems import problem_of, responses
from app.api.schemas import ClusterOut, ClusterRequest, ClustersOut, ItemOut
from app.api.state import Ready
from app.matching.clustering.batch import ClusteredBatch, Clustering, Item, cluster_batch, cluster_catalogue

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


@router.post(
    "/cluster", response_model=ClustersOut, responses=responses(400, 413, 415, 422, 500, 503), openapi_extra=_BODY
)
async def cluster(request: Request, service: ServiceDep, ready: ReadyDep, worker: WorkerDep) -> Response:
    """Cluster stored postings and pictures; a bad item gets its own problem and does not fail the rest."""
    asked, images = await read_batch(request, service.settings)
    how = Clustering(asked.method, asked.eps, asked.min_samples, service.settings.max_cluster_pairs)
    matcher = ready.matcher
    if asked.posting_ids == "all" and not images:
        batch = await worker.run_alone(lambda: cluster_catalogue(matcher, how))
    else:
        posting_ids = matcher.catalogue.posting_ids if asked.posting_ids == "all" else asked.posting_ids
        embeddings, errors = await worker.run(lambda: matcher.embed(images))
        batch = await worker.run_alone(lambda: cluster_batch(matcher, posting_ids, embeddings, errors, how))
    limit = min(asked.limit, service.settings.max_cluster_postings)
    # thousands of items take a while to be written down
    body = await worker.run(lambda: _page(batch, asked, limit, ready, worker).model_dump_json())
    return Response(body, media_type=JSON)


def _page(batch: ClusteredBatch, asked: ClusterRequest, limit: int, ready: Ready, worker: Worker) -> ClustersOut:
    end = asked.offset + limit
    return ClustersOut(
        models=dict(ready.matcher.versions),
        took_ms=worker.took_ms(),
        method=asked.method,
        eps=asked.eps,
        min_samples=asked.min_samples,
        total_items=len(batch),
        total_clusters=len(batch.members),
        next_offset=end if end < len(batch) else None,
        items=[_item(item) for item in batch.items(asked.offset, limit)],
        clusters=[_cluster(number, batch) for number in batch.clusters(asked.offset, limit)],
    )


def _item(item: Item) -> ItemOut:
    problem = None if item.problem is None else problem_of(item.problem)
    status = "problem" if problem else "noise" if item.cluster is None else "clustered"
    return ItemOut(posting_id=item.posting_id, image=item.image, status=status, cluster=item.cluster, problem=problem)


def _cluster(number: int, batch: ClusteredBatch) -> ClusterOut:
    members = [batch[int(position)] for position in batch.members[number]]
    return ClusterOut(
        cluster=number,
        posting_ids=[item.posting_id for item in members if item.posting_id is not None],
        images=[item.image for item in members if item.image is not None],
    )
