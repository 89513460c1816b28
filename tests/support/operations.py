"""A call of the client for each operation of the service."""

from collections.abc import Callable
from typing import Any, Final

from pricematch.client import Unstored
from tests.support.fakes import image_bytes

RED, TEAL = image_bytes("#ff0000"), image_bytes("#008080")
POSTINGS = b"posting_id,image,title\nfrom-file,teal.png,kopi susu\n"
NO_JOB = "0" * 32
VERBS: Final[dict[str, Callable[[Any], Any]]] = {
    "matchImage": lambda client: client.match([RED, TEAL], "kopi susu", limit=3, min_probability=0),
    "getPostingMatches": lambda client: client.matches_of("p0", target="f1", with_metadata=True),
    "comparePostings": lambda client: client.compare(
        "p0", Unstored(title="kopi", image=[RED, TEAL], metadata={"price": 5}), target="f1"
    ),
    "listFields": lambda client: client.fields(),
    "declareField": lambda client: client.declare_field("seller", "text"),
    "withdrawField": lambda client: client.withdraw_field("nobody"),
    "clusterPostings": lambda client: client.cluster("all", method="matcher"),
    "listPostings": lambda client: client.postings(),
    "getPosting": lambda client: client.posting("p0"),
    "getPostingImage": lambda client: client.image("p0", side=64),
    "putPosting": lambda client: client.put("new one é", "kopi susu", RED, metadata={"price": 12}),
    "patchPosting": lambda client: client.patch("p0", metadata={"price": 13}),
    "changePostings": lambda client: client.delete_many(["not there"]),
    "deletePostings": lambda client: client.delete_matching({"seller": "nobody"}, dry_run=True),
    "deletePosting": lambda client: client.delete("not there"),
    "importPostings": lambda client: client.import_postings(client.file),
    "listJobs": lambda client: client.jobs(),
    "createJob": lambda client: client.train(signals=["hash"]),
    "getJob": lambda client: client.job(NO_JOB),
    "endJob": lambda client: client.end_job(NO_JOB),
    "listProducts": lambda client: client.products(sort="doubt"),
    "getProduct": lambda client: client.product("p1"),
    "getProductHistory": lambda client: client.history("p1"),
    "listVerdicts": lambda client: client.verdicts(sort="time"),
    "exportVerdicts": lambda client: client.verdicts_csv(),
    "getVerdict": lambda client: client.verdict("p0", "p1"),
    "putVerdict": lambda client: client.decide("p0", "p1", "same", by="Ann", note="by hand"),
    "deleteVerdict": lambda client: client.withdraw("p2", "p3"),
    "decideVerdicts": lambda client: client.decide_batch([("p0", "p1", "same")], by="Ann"),
    "listVerdictBatches": lambda client: client.batches(),
    "getVerdictBatch": lambda client: client.batch(NO_JOB),
    "undoVerdictBatch": lambda client: client.undo_batch(NO_JOB),
    "listPairsToReview": lambda client: client.review(limit=3),
    "listChanges": lambda client: client.changes(),
    "listModels": lambda client: client.models(),
    "activateModel": lambda client: client.activate("matcher", "1"),
    "listNamespaces": lambda client: client.namespaces(),
    "makeNamespace": lambda client: client.put_namespace("default"),
    "getHealth": lambda client: client.alive(),
    "getReadiness": lambda client: client.health(),
    "getMetrics": lambda client: client.metrics(),
}
"""A call for each operation, by its name."""
