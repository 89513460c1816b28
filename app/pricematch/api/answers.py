"""What the core answers, as it goes over the wire."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from pricematch.api.problems import problem_of
from pricematch.api.schemas.matches import EvidenceOut
from pricematch.api.schemas.postings import PostingOut, StoredPostingOut, absent
from pricematch.api.state import Ready
from pricematch.catalogue.postings import Posting
from pricematch.errors import ImageError
from pricematch.matching.matches import Evidence, Match, Matches
from pricematch.matching.queries import Answer, Answers


def stored_out(posting: Posting, ready: Ready, version: int) -> StoredPostingOut:
    """A posting as it is answered alone, from a version of the catalogue."""
    return StoredPostingOut(catalogue_version=version, **posting_out(posting, ready).model_dump())


def posting_out(posting: Posting, ready: Ready) -> PostingOut:
    """A posting as it is answered."""
    return PostingOut(
        posting_id=posting.posting_id,
        title=posting.title,
        image_phash=posting.image_phash,
        label_group=posting.label_group,
        image_url=image_url(posting, ready),
    )


def matches_out(answer: Answer, ready: Ready, took_ms: float) -> dict[str, Any]:
    """Matches as they are answered: the fields of `MatchesOut`."""
    return {**_decided(answer, ready, took_ms), "matches": _matches(answer.matches, ready)}


def each_out(answers: Answers, names: Sequence[str | None], ready: Ready, took_ms: float) -> dict[str, Any]:
    """Matches of several pictures, with the names these were sent with: the fields of `EachMatchesOut`."""
    items = [
        {"index": index, "name": name, "problem": problem_of(found).model_dump()}
        if isinstance(found, ImageError)
        else {"index": index, "name": name, "matches": _matches(found, ready)}
        for index, (name, found) in enumerate(zip(names, answers.each, strict=True))
    ]
    return {**_decided(answers.common, ready, took_ms), "items": items}


def _decided(answer: Answer, ready: Ready, took_ms: float) -> dict[str, Any]:
    """The fields of `DecidedOut`."""
    judge = ready.matcher.judge
    return {
        "catalogue_version": ready.version,
        "models": dict(answer.models),
        "took_ms": took_ms,
        "catalogue_size": len(ready.matcher.catalogue),
        "matcher": None if judge is None else judge.label,
        "decided_by": answer.decided_by,
        "target": None if answer.target is None else str(answer.target),
        "threshold": finite(answer.threshold),
        "alone": finite(answer.alone),
    }


def _matches(matches: Matches, ready: Ready) -> list[dict[str, Any]]:
    return [_match_out(match, ready) for match in matches]


def image_url(posting: Posting, ready: Ready) -> str | None:
    """Where a posting's picture is served; ids hold no character that a path must escape."""
    if posting.image is None or ready.images is None:
        return None
    return f"/postings/{posting.posting_id}/image"


def finite(threshold: float) -> float | None:
    """A threshold as JSON holds it."""
    return threshold if isfinite(threshold) else None


def _match_out(match: Match, ready: Ready) -> dict[str, Any]:
    """The fields of `MatchOut`, but for those that are absent."""
    posting = ready.matcher.catalogue.posting(match.posting_id)
    told = {
        "probability": match.probability,
        "level": match.level,
        "similarity": match.similarity,
        "verdict": match.verdict,
        "evidence": None if match.evidence is None else _evidence(match.evidence),
    }
    return {
        "posting_id": match.posting_id,
        "title": posting.title,
        "image_url": image_url(posting, ready),
        **{name: value for name, value in told.items() if not absent(value)},
    }


def evidence_out(evidence: Evidence) -> EvidenceOut:
    """Evidence as it is answered."""
    return EvidenceOut(**_evidence(evidence))


def _evidence(evidence: Evidence) -> dict[str, Any]:
    """The fields of `EvidenceOut`."""
    return {
        "signals": {name: round(similarity, 6) for name, similarity in evidence.signals.items()},
        "reasons": [{"text": reason.text, "weight": round(reason.weight, 3)} for reason in evidence.reasons],
    }
