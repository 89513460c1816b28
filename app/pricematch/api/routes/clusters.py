"""POST /cluster: which of these belong together?"""

import time

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from pricematch.api.bodies import described, read_batch
from pricematch.api.content import JSON, MULTIPART
from pricematch.api.dependencies import READ, ReadyService, while_connected
from pricematch.api.problems import problem_of, responses
from pricematch.api.schemas.clusters import ClusterJson, ClusterOut, ClusterRequest, ClustersOut, ItemOut
from pricematch.api.schemas.fields import finite, took_ms
from pricematch.api.schemas.filters import filter_in
from pricematch.api.schemas.verdicts import contradictions_out
from pricematch.matching.cluster_requests import ClusterOptions
from pricematch.matching.clusters import Clusters, Item
from pricematch.serving.results import Clustered

router = APIRouter(tags=["cluster"])

_FIELDS = ClusterRequest.model_json_schema()["properties"]
_IMAGES = {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "Images to cluster."}
_BODY = described(
    {
        JSON: ClusterJson.model_json_schema(),
        MULTIPART: {"type": "object", "properties": {"images": _IMAGES, **_FIELDS}},
    }
)


@router.post(
    "/cluster",
    operation_id="clusterPostings",
    dependencies=[READ],
    response_model=ClustersOut,
    responses=responses(400, 409, 413, 415, 422, 429, 500, 503, 504),
    openapi_extra=_BODY,
)
async def cluster(request: Request, service: ReadyService) -> Response:
    """Cluster stored postings and images; a bad item gets its own problem and does not fail the rest."""
    started = time.perf_counter()
    query, images = await read_batch(request, service.settings)
    metadata = query.own(len(images), service.settings)
    options = ClusterOptions(
        query.posting_ids,
        query.method,
        query.eps,
        query.min_samples,
        service.settings.max_cluster_pairs,
        query.encoder,
        query.target,
        query.min_probability,
        filter_in(query.filter, service.settings),
    )
    found = await while_connected(request, service.cluster(options, images, metadata))
    limit = min(query.limit, service.settings.max_cluster_postings)
    # thousands of items take a while to be written down
    body = await run_in_threadpool(lambda: _page(found, query, limit, started).model_dump_json())
    return Response(body, media_type=JSON)


def _page(found: Clustered, query: ClusterRequest, limit: int, started: float) -> ClustersOut:
    batch, decision, end = found.batch, found.decision, query.first + limit
    probable = decision.by == "probability"
    return ClustersOut(
        catalogue_version=found.snapshot.version,
        models=dict(decision.models),
        took_ms=took_ms(started),
        method=query.method,
        eps=None if probable else query.eps,
        min_samples=None if probable else query.min_samples,
        target=None if decision.target is None else str(decision.target),
        threshold=finite(decision.threshold) if probable else None,
        probabilities=decision.probabilities if probable else None,
        total_items=len(batch),
        total_clusters=len(batch.members),
        next_cursor=str(end) if end < len(batch) else None,
        next_offset=end if end < len(batch) else None,
        total_contradictions=len(found.contradictions),
        contradictions=contradictions_out(found.contradictions),
        items=[_item(item) for item in batch.items(query.first, limit)],
        clusters=[_cluster(number, batch) for number in batch.clusters(query.first, limit)],
    )


def _item(item: Item) -> ItemOut:
    problem = None if item.problem is None else problem_of(item.problem)
    status = "problem" if problem else "noise" if item.cluster is None else "clustered"
    return ItemOut(posting_id=item.posting_id, image=item.image, status=status, cluster=item.cluster, problem=problem)


def _cluster(number: int, batch: Clusters) -> ClusterOut:
    members = [batch[int(position)] for position in batch.members[number]]
    return ClusterOut(
        cluster=number,
        posting_ids=[item.posting_id for item in members if item.posting_id is not None],
        images=[item.image for item in members if item.image is not None],
        cohesion=None if batch.cohesion is None else float(batch.cohesion[number]),
    )
