"""Results as the fields of schemas."""

import time
from collections.abc import Sequence
from math import isfinite
from typing import Any

from pricematch.api.problems import problem_of
from pricematch.api.schemas.matches import EvidenceOut
from pricematch.api.schemas.postings import PostingOut, StoredPostingOut, absent
from pricematch.catalogue.postings import Posting
from pricematch.errors import ImageError
from pricematch.matching.queries import Decision, Evidence, Match, Matches
from pricematch.serving.results import Matched, MatchedEach
from pricematch.serving.snapshots import Snapshot


def stored_out(posting: Posting, version: int) -> StoredPostingOut:
    """A posting at a version of the catalogue."""
    return StoredPostingOut(catalogue_version=version, **posting_out(posting).model_dump())


def posting_out(posting: Posting) -> PostingOut:
    """A posting."""
    return PostingOut(
        posting_id=posting.posting_id,
        title=posting.title,
        image_phash=posting.image_phash,
        label_group=posting.label_group,
        image_url=image_url(posting),
    )


def matches_out(found: Matched, started: float) -> dict[str, Any]:
    """The fields of `MatchesOut`; `started` is when the request came, see `took_ms`."""
    matches = _matches(found.result.matches, found.snapshot)
    return {**_decided(found.result.decision, found.snapshot, started), "matches": matches}


def each_out(found: MatchedEach, names: Sequence[str | None], started: float) -> dict[str, Any]:
    """The fields of `EachMatchesOut`, with the names that the images were sent with."""
    items = [
        {"index": index, "name": name, "problem": problem_of(matches).model_dump()}
        if isinstance(matches, ImageError)
        else {"index": index, "name": name, "matches": _matches(matches, found.snapshot)}
        for index, (name, matches) in enumerate(zip(names, found.each, strict=True))
    ]
    return {**_decided(found.decision, found.snapshot, started), "items": items}


def took_ms(started: float) -> float:
    """Milliseconds since a moment of `time.perf_counter`."""
    return round((time.perf_counter() - started) * 1e3, 3)


def _decided(decision: Decision, snapshot: Snapshot, started: float) -> dict[str, Any]:
    """The fields of `DecidedOut`."""
    trained = snapshot.matcher.probability
    return {
        "catalogue_version": snapshot.version,
        "models": dict(decision.models),
        "took_ms": took_ms(started),
        "catalogue_size": len(snapshot.matcher.catalogue),
        "matcher": None if trained is None else trained.label,
        "decided_by": decision.by,
        "target": None if decision.target is None else str(decision.target),
        "threshold": finite(decision.threshold),
        "alone": finite(decision.fallback),
    }


def _matches(matches: Matches, snapshot: Snapshot) -> list[dict[str, Any]]:
    return [_match_out(match, snapshot) for match in matches]


def image_url(posting: Posting) -> str | None:
    """Where a posting's image is served; ids hold no character that a path must escape."""
    return None if posting.image is None else f"/postings/{posting.posting_id}/image"


def finite(threshold: float) -> float | None:
    """A threshold as JSON holds it."""
    return threshold if isfinite(threshold) else None


def _match_out(match: Match, snapshot: Snapshot) -> dict[str, Any]:
    """The fields of `MatchOut`, but for those that are absent."""
    posting = snapshot.matcher.catalogue.posting(match.posting_id)
    optional = {
        "probability": match.probability,
        "level": match.level,
        "similarity": match.similarity,
        "verdict": match.feedback,
        "evidence": None if match.evidence is None else _evidence(match.evidence),
    }
    return {
        "posting_id": match.posting_id,
        "title": posting.title,
        "image_url": image_url(posting),
        **{name: value for name, value in optional.items() if not absent(value)},
    }


def evidence_out(evidence: Evidence) -> EvidenceOut:
    """The explanation of a match."""
    return EvidenceOut(**_evidence(evidence))


def _evidence(evidence: Evidence) -> dict[str, Any]:
    """The fields of `EvidenceOut`."""
    return {
        "signals": {name: round(similarity, 6) for name, similarity in evidence.signals.items()},
        "reasons": [{"text": reason.text, "weight": round(reason.weight, 3)} for reason in evidence.reasons],
    }
