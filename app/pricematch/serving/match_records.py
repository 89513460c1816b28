"""Matches as plain records, for JSON and data frames."""

from typing import Any

from pricematch.catalogue.postings import Posting
from pricematch.matching.queries import Evidence, Match


def match_fields(match: Match) -> dict[str, Any]:
    """What is known of a match beside its posting, but for what is not."""
    pair = match.image_pair
    fields = {
        "probability": match.probability,
        "level": match.match_type,
        "similarity": match.similarity,
        "verdict": match.feedback,
        "evidence": None if match.evidence is None else evidence_fields(match.evidence),
        "images": None if pair is None else {"query": pair[0] + 1, "match": pair[1] + 1},
        "stock_image": match.stock_image or None,
        "one_colour": match.one_colour or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def match_record(match: Match, posting: Posting) -> dict[str, Any]:
    """A match with the title of its posting."""
    return {"posting_id": match.posting_id, "title": posting.title, **match_fields(match)}


def evidence_fields(evidence: Evidence) -> dict[str, Any]:
    """Why a posting is a match: similarities by signal, and what weighed most, in log odds."""
    return {
        "signals": {name: round(similarity, 6) for name, similarity in evidence.signals.items()},
        "reasons": [{"text": reason.text, "weight": round(reason.weight, 3)} for reason in evidence.reasons],
    }
