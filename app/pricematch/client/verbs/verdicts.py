"""Verdicts: what people say of pairs, many at once, and pairs to ask them about."""

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from pricematch.client.bodies import Filter, as_json
from pricematch.client.calls import Call, Listing, as_result, in_path, listing, once, pages, verb
from pricematch.client.results.verdicts import (
    Batch,
    Batches,
    BatchPreview,
    Decision,
    Review,
    StoredBatch,
    StoredVerdict,
    Verdict,
    Verdicts,
    Withdrawn,
)

Pair: TypeAlias = tuple[str, str, Decision]
"""Two postings and what is said of them."""
_PAGE, _BATCHES = 1000, 100


class VerdictVerbs:
    """What people say of pairs."""

    @listing
    def verdicts(
        self,
        *,
        by: str | None = None,
        posting_id: str | None = None,
        decision: Decision | None = None,
        sort: Literal["ids", "time"] = "ids",
        page_size: int = _PAGE,
    ) -> Listing[Verdict]:
        """The verdicts: all, those of one author, on one posting, or of one decision."""
        chosen = {"by": by, "posting_id": posting_id, "decision": decision, "sort": sort, "limit": page_size}
        return pages(
            lambda cursor: Call(
                method="GET", path="/verdicts", read=as_result(Verdicts), query={**chosen, "cursor": cursor or None}
            ),
            lambda page: page.verdicts,
            lambda page: page.next_cursor,
        )

    @verb
    def verdicts_csv(self) -> Call[str]:
        """All verdicts as CSV."""
        return Call(method="GET", path="/verdicts.csv", read=lambda response: response.text, headers={"Accept": "*/*"})

    @verb
    def verdict(self, posting_id: str, other_id: str) -> Call[StoredVerdict]:
        """The verdict on two postings, in whichever order."""
        return Call(method="GET", path=_path(posting_id, other_id), read=as_result(StoredVerdict))

    @verb
    def decide(
        self, posting_id: str, other_id: str, verdict: Decision, *, by: str | None = None, note: str = ""
    ) -> Call[StoredVerdict]:
        """Say whether two postings are the same product."""
        given = {"verdict": verdict, "by": by, "note": note}
        path = _path(posting_id, other_id)
        return Call(method="PUT", path=path, read=as_result(StoredVerdict), content={"json": given})

    @verb
    def withdraw(self, posting_id: str, other_id: str) -> Call[Withdrawn]:
        """Take a verdict back; one that is not there is no error."""
        return Call(method="DELETE", path=_path(posting_id, other_id), read=as_result(Withdrawn))

    @verb
    def preview_batch(
        self,
        pairs: Iterable[Pair] | None = None,
        *,
        decision: Decision | None = None,
        min_probability: float | None = None,
        max_probability: float | None = None,
    ) -> Call[BatchPreview]:
        """What `decide_batch` would do."""
        body = _batch(pairs, decision, min_probability, max_probability) | {"preview": True}
        return Call(method="POST", path="/verdicts:batch", read=as_result(BatchPreview), content={"json": body})

    @verb
    def decide_batch(
        self,
        pairs: Iterable[Pair] | None = None,
        *,
        decision: Decision | None = None,
        min_probability: float | None = None,
        max_probability: float | None = None,
        by: str | None = None,
        note: str = "",
        if_version: int | None = None,
    ) -> Call[StoredBatch]:
        """Make many verdicts as one change: each by itself, or one decision on all pairs of some probabilities.

        Args:
            pairs: two postings each, and the decision.
            decision: instead, that on all scored pairs of these probabilities on which nobody has decided.
            min_probability: of these pairs, at least.
            max_probability: at most; 1 if absent.
            by: who says so; the name of the API key if absent.
            note: why.
            if_version: the `catalogue_version` of a preview, which the catalogue must still have.
        """
        body = _batch(pairs, decision, min_probability, max_probability)
        body |= {"by": by, "note": note, "if_version": if_version}
        return Call(
            method="POST",
            path="/verdicts:batch",
            read=as_result(StoredBatch),
            content={"json": body},
            headers=once(),
        )

    @listing
    def batches(self, *, page_size: int = _BATCHES) -> Listing[Batch]:
        """The batches of verdicts that are kept, the newest first."""
        return pages(
            lambda cursor: Call(
                method="GET",
                path="/verdicts/batches",
                read=as_result(Batches),
                query={"cursor": cursor or None, "limit": page_size},
            ),
            lambda page: page.batches,
            lambda page: page.next_cursor,
        )

    @verb
    def batch(self, batch_id: str) -> Call[StoredBatch]:
        """A batch of verdicts."""
        return Call(method="GET", path=_batch_path(batch_id), read=as_result(StoredBatch))

    @verb
    def undo_batch(self, batch_id: str) -> Call[StoredBatch]:
        """Take a batch back: its pairs are as they were before, but for those decided anew since."""
        return Call(method="DELETE", path=_batch_path(batch_id), read=as_result(StoredBatch))

    @verb
    def review(self, *, limit: int = 10, target: str | None = None, filter: Filter | None = None) -> Call[Review]:
        """The pairs whose verdict would teach most; with a filter those of both of whose postings it holds."""
        query = {"limit": limit, "target": target, "filter": as_json(filter)}
        return Call(method="GET", path="/review", read=as_result(Review), query=query)


def _batch(
    pairs: Iterable[Pair] | None,
    decision: Decision | None,
    min_probability: float | None,
    max_probability: float | None,
) -> dict[str, Any]:
    if pairs is not None:
        return {"decisions": [{"left": left, "right": right, "decision": said} for left, right, said in pairs]}
    bounds = {"min_probability": min_probability, "max_probability": max_probability}
    return {"decision": decision, "pairs": {name: value for name, value in bounds.items() if value is not None}}


def _path(posting_id: str, other_id: str) -> str:
    return f"/verdicts/{in_path(posting_id, 'a posting_id')}/{in_path(other_id, 'a posting_id')}"


def _batch_path(batch_id: str) -> str:
    return f"/verdicts/batches/{in_path(batch_id, 'a batch_id')}"
