"""Questions to a service that change nothing."""

from typing import Any

from tests.support.golden.checkout import Part, Service
from tests.support.golden.subject import Subject

QUERIES = (
    "limit=3",
    "limit=50&min_probability=0",
    "min_probability=0.3",
    "min_similarity=0.2",
    "min_similarity=-1&limit=50",
    "target=f1",
    "target=precision:0.95",
    "target=precision:0.42",
    "encoder=cae",
    "encoder=autoencoder&min_similarity=0.99",
    "encoder=unknown",
    "target=f1&min_probability=0.5",
    "limit=0",
)


def match_answers(service: Service, subject: Subject) -> dict[str, Any]:
    """Answers to POST /match and GET /postings/{posting_id}/matches, asked in every way."""
    stored, found = subject.rows[0], dict[str, Any]()
    for row in [stored, *subject.others[:8]]:
        image: Part = ("image", "a.jpg", subject.image(row))
        title: Part = ("title", None, row["title"].encode())
        found[f"image of {row['posting_id']}"] = service.form("POST", "/match", image)
        found[f"title of {row['posting_id']}"] = service.send("POST", "/match", {"title": row["title"]})
        found[f"both of {row['posting_id']}"] = service.form("POST", "/match?limit=20", image, title)
    image, title = subject.parts(0)
    for query in QUERIES:
        found[f"image ?{query}"] = service.form("POST", f"/match?{query}", image)
        found[f"title ?{query}"] = service.form("POST", f"/match?{query}", title)
        found[f"both ?{query}"] = service.form("POST", f"/match?{query}", image, title)
        found[f"posting ?{query}"] = service.get(f"/postings/{stored['posting_id']}/matches?{query}")
    found["picture as body"] = service.ask("POST", "/match", image[2], "image/jpeg")
    broken: Part = ("images", "broken.jpg", image[2][:500])
    for query in ("limit=5", "encoder=cae", "target=precision:0.90"):
        several = [*subject.pictures(0, 3), broken, *subject.pictures(3, 6)]
        found[f"images ?{query}"] = service.form("POST", f"/match?{query}", *several)
    for posting_id in [*subject.ids(9), "unknown"]:
        found[f"posting {posting_id}"] = service.get(f"/postings/{posting_id}/matches")
    found["nothing"] = service.form("POST", "/match")
    return found


def cluster_answers(service: Service, subject: Subject) -> dict[str, Any]:
    """Answers to POST /cluster by each method: of all postings, in pages, of some, and with pictures."""
    found: dict[str, Any] = {}
    by_similarity: list[dict[str, Any]] = [
        {"method": method, "eps": 0.7} for method in ("dbscan", "optics", "nearest", "ensemble")
    ]
    by_encoder: list[dict[str, Any]] = [
        {"method": "dbscan", "eps": 0.4, "min_samples": 4},
        {"method": "optics", "eps": 0.002, "encoder": "cae", "min_samples": 3},
        {"method": "nearest", "encoder": "autoencoder"},
    ]
    by_probability: list[dict[str, Any]] = [{"method": "matcher"}, {"method": "matcher", "min_probability": 0.2}]
    some = [*subject.siblings(70), "unknown"]
    for how in [*by_similarity, *by_encoder, *by_probability, {"method": "matcher", "target": "precision:0.90"}]:
        fields: list[Part] = [(name, None, str(value).encode()) for name, value in how.items()]
        ids: list[Part] = [("posting_ids", None, posting_id.encode()) for posting_id in some]
        found[f"all by {how}"] = service.send("POST", "/cluster", {"posting_ids": "all", **how})
        found[f"some by {how}"] = service.send("POST", "/cluster", {"posting_ids": some, **how})
        pictures = [*subject.pictures(0, 6), *subject.pictures(2, 4)]
        found[f"pictures and some by {how}"] = service.form("POST", "/cluster", *ids, *fields, *pictures)
        found[f"pictures by {how}"] = service.form("POST", "/cluster", *fields, *pictures)
    for method in ("ensemble", "matcher"):
        page: int | None = 0
        while page is not None:
            asked = {"posting_ids": "all", "method": method, "offset": page, "limit": 110}
            found[f"page {page} by {method}"] = answer = service.send("POST", "/cluster", asked)
            page = answer["body"].get("next_offset")
    return found


def stored_answers(service: Service) -> dict[str, Any]:
    """What the service says of its catalogue, its models and what is to be reviewed."""
    paths = ["/models", "/postings", "/postings?limit=5&cursor=sample_000100", "/postings/sample_000001"]
    paths += ["/postings/sample_000001/image", "/postings/sample_000005", "/postings/unknown", "/verdicts"]
    paths += ["/verdicts.csv", "/review", "/review?limit=30&target=precision:0.95", "/review?limit=0", "/jobs"]
    return {path: service.get(path) for path in paths}


def all_answers(service: Service, subject: Subject) -> dict[str, Any]:
    """Answers to all questions that change nothing."""
    stored, matches = stored_answers(service), match_answers(service, subject)
    return {"stored": stored, "match": matches, "cluster": cluster_answers(service, subject)}


def large_image_answers(service: Service, subject: Subject) -> dict[str, Any]:
    """Matches of images that are scaled down by much."""
    return {
        path.stem: service.form("POST", "/match", ("image", path.name, path.read_bytes())) for path in subject.large()
    }
