"""POST /cluster: which of these belong together?"""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from pricematch.api.access import READ
from pricematch.api.answers import finite
from pricematch.api.bodies import JSON, MULTIPART, read_batch
from pricematch.api.dependencies import ReadyDep, ServiceDep, WorkerDep
from pricematch.api.problems import problem_of, responses
from pricematch.api.schemas.clusters import ClusterOut, ClusterRequest, ClustersOut, ItemOut
from pricematch.api.schemas.verdicts import contradictions_out
from pricematch.api.state import Ready
from pricematch.api.worker import Worker
from pricematch.catalogue.contradictions import among, contradictions
from pricematch.matching.cluster_batch import (
    ClusteredBatch,
    Clustering,
    Item,
    cluster_batch,
    cluster_catalogue,
    pictured,
)
from pricematch.matching.judge import Bar
from pricematch.matching.judged_batch import cluster_judged_batch, cluster_judged_catalogue
from pricematch.matching.judged_clusters import LEAST_MEAN
from pricematch.matching.matcher import Matcher
from pricematch.pairs.thresholds import Thresholds

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
    "/cluster",
    dependencies=[READ],
    response_model=ClustersOut,
    responses=responses(400, 409, 413, 415, 422, 429, 500, 503, 504),
    openapi_extra=_BODY,
)
async def cluster(request: Request, service: ServiceDep, ready: ReadyDep, worker: WorkerDep) -> Response:
    """Cluster stored postings and pictures; a bad item gets its own problem and does not fail the rest."""
    asked, images = await read_batch(request, service.settings)
    if asked.method == "matcher":
        batch, bar = await _by_probability(asked, images, ready.matcher, worker)
    else:
        how = Clustering(asked.method, asked.eps, asked.min_samples, service.settings.max_cluster_pairs)
        batch, bar = await _by_similarity(asked, images, how, ready.matcher, worker), None
    limit = min(asked.limit, service.settings.max_cluster_postings)
    # thousands of items take a while to be written down
    body = await worker.run(lambda: _page(batch, bar, asked, limit, ready, worker).model_dump_json())
    return Response(body, media_type=JSON)


async def _by_probability(
    asked: ClusterRequest, images: Sequence[bytes], matcher: Matcher, worker: Worker
) -> tuple[ClusteredBatch, Bar]:
    judge, catalogue = matcher.trained("method matcher"), matcher.catalogue
    bar = judge.bar(asked.target, asked.min_probability)
    threshold = max(bar.thresholds.match, LEAST_MEAN)
    posting_ids = sorted(catalogue.posting_ids) if asked.posting_ids == "all" else asked.posting_ids
    if images:
        features, errors = await worker.run(lambda: matcher.pictures(judge, images))
        found = await worker.run_alone(
            lambda: cluster_judged_batch(
                judge.clusters, catalogue, posting_ids, threshold, judge.judged.newcomers(features), errors
            )
        )
    elif asked.posting_ids == "all":
        found = await worker.run_alone(lambda: cluster_judged_catalogue(judge.clusters, catalogue, threshold))
    else:
        found = await worker.run_alone(lambda: cluster_judged_batch(judge.clusters, catalogue, posting_ids, threshold))
    return found, Bar(bar.target, Thresholds(threshold, threshold))


async def _by_similarity(
    asked: ClusterRequest, images: Sequence[bytes], how: Clustering, matcher: Matcher, worker: Worker
) -> ClusteredBatch:
    embedded = matcher.encoder(asked.encoder, f"method {asked.method}")
    if asked.posting_ids == "all" and not images:
        return await worker.run_alone(lambda: cluster_catalogue(embedded, how))
    posting_ids = pictured(embedded) if asked.posting_ids == "all" else asked.posting_ids
    embeddings, errors = await worker.run(lambda: embedded.encoder.embed(images))
    return await worker.run_alone(lambda: cluster_batch(embedded, posting_ids, embeddings, errors, how))


def _page(
    batch: ClusteredBatch, bar: Bar | None, asked: ClusterRequest, limit: int, ready: Ready, worker: Worker
) -> ClustersOut:
    end, matcher = asked.offset + limit, ready.matcher
    against = among(contradictions(matcher.verdicts), set(batch.posting_ids))
    models = matcher.judge_versions if bar else matcher.encoder(asked.encoder, f"method {asked.method}").versions
    return ClustersOut(
        catalogue_version=ready.version,
        models=dict(models),
        took_ms=worker.took_ms(),
        method=asked.method,
        eps=None if bar else asked.eps,
        min_samples=None if bar else asked.min_samples,
        target=str(bar.target) if bar and bar.target else None,
        threshold=finite(bar.thresholds.match) if bar else None,
        total_items=len(batch),
        total_clusters=len(batch.members),
        next_offset=end if end < len(batch) else None,
        total_contradictions=len(against),
        contradictions=contradictions_out(against),
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
        cohesion=None if batch.cohesion is None else float(batch.cohesion[number]),
    )
