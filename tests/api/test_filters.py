"""Filters and exclusions over HTTP, and the fields that are declared for them."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from pricematch.api.keys import Scope, new_key
from pricematch.catalogue.evidence import EvidenceFields
from pricematch.catalogue.fields import Field
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.catalogue.records import Put
from tests.support.applications import Serve, make_app_of
from tests.support.contract import assert_problem, client_of
from tests.support.matchers import matcher_over, scored_search
from tests.support.product_shop import ProductShop, hashed, in_memory

SOLD: dict[str, tuple[int, dict[str, Any]]] = {
    "a": (0, {"seller": "acme", "price": 5}),
    "b": (1, {"seller": "lg", "price": 15}),
    "c": (2, {"seller": "acme", "price": 25, "colours": ["red", "blue"]}),
    "d": (10, {"seller": "tokyo", "size": {"eu": 38}}),
    "e": (11, {}),
    "f": (16, {"seller": "lg"}),
}
ANY: dict[str, Any] = {"min_probability": 0}


def sold() -> list[Posting]:
    return [
        replace(hashed(posting_id, bits, f"Kopi {posting_id}"), metadata=Metadata(fields))
        for posting_id, (bits, fields) in SOLD.items()
    ]


@pytest.fixture
def shop() -> ProductShop:
    """Of six postings in three products: `a` `b` `c`, `d` `e`, `f`."""
    shop = in_memory()
    for posting in sold():
        shop.intake.put(Put(posting))
    for one, other in (("c", "d"), ("e", "f")):
        shop.intake.decide(one, other, "different")
    return shop


@pytest.fixture
def client(shop: ProductShop) -> Iterator[TestClient]:
    with client_of(make_app_of(shop)) as client:
        yield client


@pytest.fixture
def titled(serve: Serve) -> TestClient:
    """The same postings, compared by their titles."""
    search = scored_search(sold(), ("title",))
    return serve(matcher=matcher_over(Catalogue(sold()), {}, {}, search))


def matched(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    return [it["posting_id"] for it in response.json()["matches"]]


# --- where filters hold ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("seller=acme", ["c"]),
        ('{"seller": "acme"}', ["c"]),
        ("seller!=acme", ["b", "d", "e", "f"]),
        ("price=10..20", ["b"]),
        ('{"price": {"gt": 15}}', ["c"]),
        ("colours=red;seller", ["c"]),
        ("size.eu=38", ["d"]),
        ("!seller", ["e"]),
        ("$posting_id=b|f", ["b", "f"]),
        ("seller=nobody", []),
    ],
)
def test_matches_of_a_posting_are_those_that_the_filter_holds_of(
    client: TestClient, given: str, expected: list[str]
) -> None:
    assert matched(client.get("/postings/a/matches", params={**ANY, "filter": given})) == expected


def test_a_query_is_filtered_by_its_address_or_its_body(titled: TestClient) -> None:
    """JSON may have an object or a text, a form a text, and several images are filtered alike."""
    every, some = ["a", "b", "c", "d", "e", "f"], {"seller": "acme"}
    title = {"title": "kopi"}
    assert sorted(matched(titled.post("/match", json=title, params=ANY))) == every
    for response in (
        titled.post("/match", json=title, params={**ANY, "filter": "seller=acme"}),
        titled.post("/match", json={**title, "filter": "seller=acme"}, params=ANY),
        titled.post("/match", json={**title, "filter": some}, params=ANY),
        titled.post("/match", files={"title": (None, "kopi"), "filter": (None, "seller=acme")}, params=ANY),
    ):
        assert sorted(matched(response)) == ["a", "c"]
    both = titled.post("/match", json={**title, "filter": some}, params={"filter": "price"})
    assert_problem(both, 422, "invalid-request")
    assert both.json()["errors"][0]["location"] == "query.filter"


def test_postings_are_listed_by_a_filter_page_by_page(client: TestClient) -> None:
    found, cursor = list[str](), ""
    while cursor is not None and len(found) < 9:
        body = client.get("/postings", params={"filter": "seller=acme|lg", "limit": 1, "cursor": cursor}).json()
        assert body["total"] == 4
        found += [it["posting_id"] for it in body["postings"]]
        cursor = body["next_cursor"]
    assert found == ["a", "b", "c", "f"]
    assert client.get("/postings", params={"filter": "seller=no"}).json()["postings"] == []
    assert client.get("/postings", params={"filter": "{}"}).json()["total"] == 6


@pytest.mark.parametrize("few", [1, 1000])
@pytest.mark.parametrize("sort", ["size", "doubt", "changed"])
def test_products_are_listed_that_have_one_such_posting(
    client: TestClient, sort: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole as they are; the examples are those that the filter holds of. Pages follow each other, few or many."""
    monkeypatch.setattr("pricematch.serving.product_pages._AT_ONCE", few)
    whole = client.get("/products", params={"sort": sort}).json()["products"]
    expected = [it["product_id"] for it in whole if it["size"] != 2]
    found, cursor = list[str](), ""
    while cursor is not None and len(found) < 9:
        given: dict[str, Any] = {"sort": sort, "filter": "seller=lg", "limit": 1, "cursor": cursor}
        body = client.get("/products", params=given).json()
        assert body["total"] == 2
        [product] = body["products"]
        assert {it["posting_id"] for it in product["postings"]} <= {"b", "f"}
        found.append(product["product_id"])
        cursor = body["next_cursor"]
    assert found == expected
    assert client.get("/products", params={"filter": "seller=nobody"}).json()["products"] == []


def test_pairs_to_review_have_both_ends_among_them(client: TestClient) -> None:
    whole = client.get("/review", params={"limit": 100}).json()["pairs"]
    assert whole
    found = client.get("/review", params={"limit": 100, "filter": "$posting_id=a|c|f"}).json()["pairs"]
    assert {(it["first"]["posting_id"], it["second"]["posting_id"]) for it in found} <= {
        ("a", "c"),
        ("a", "f"),
        ("c", "f"),
    }
    assert found
    assert client.get("/review", params={"filter": "seller=tokyo"}).json()["pairs"] == []


@pytest.mark.parametrize("given", ["seller=acme|tokyo", {"seller": {"in": ["acme", "tokyo"]}}])
def test_clusters_are_of_the_postings_that_it_holds_of(client: TestClient, given: Any) -> None:
    """Of all, or of those that are named; an id that is none keeps its problem."""
    body = client.post("/cluster", json={"posting_ids": "all", "method": "matcher", "filter": given}).json()
    assert [it["posting_id"] for it in body["items"]] == ["a", "c", "d"]
    assert [it["posting_ids"] for it in body["clusters"]] == [["a", "c"]]
    some = {"posting_ids": ["f", "nobody", "c", "a"], "method": "matcher", "filter": given}
    items = client.post("/cluster", json=some).json()["items"]
    assert [(it["posting_id"], it["status"]) for it in items][:1] == [("nobody", "problem")]
    assert [it["posting_id"] for it in items] == ["nobody", "c", "a"]
    if isinstance(given, str):
        form = {"posting_ids": (None, "all"), "method": (None, "matcher"), "filter": (None, given)}
        assert client.post("/cluster", files=form).json()["total_items"] == 3


def test_clusters_by_similarity_are_filtered_too(serve: Serve) -> None:
    client = serve()
    for ids in ("all", ["p0", "p1", "p2"]):
        found = client.post("/cluster", json={"posting_ids": ids, "filter": "$posting_id=p0|p2"}).json()
        assert [it["posting_id"] for it in found["items"]] == ["p0", "p2"]
    assert client.post("/cluster", json={"posting_ids": "all", "filter": "!$posting_id"}).json()["items"] == []


# --- what is excluded --------------------------------------------------------------------------------------------


def test_postings_of_the_same_seller_are_excluded(client: TestClient) -> None:
    """Whatever the value is; where the posting has none, nothing is."""
    for posting_id, left in (("a", "bdef"), ("b", "acde"), ("e", "abcd")):  # not f, by feedback
        given = {**ANY, "exclude": "seller"}
        assert sorted(matched(client.get(f"/postings/{posting_id}/matches", params=given))) == list(left)
    assert matched(client.get("/postings/a/matches", params={**ANY, "exclude": "seller, price"})) == list("bdef")
    both = {**ANY, "exclude": "seller", "filter": "seller"}
    assert sorted(matched(client.get("/postings/a/matches", params=both))) == list("bdf")


def test_postings_of_the_same_product_are_excluded(client: TestClient) -> None:
    """What is left is doubtful, or should be of it."""
    given = {**ANY, "exclude": "product"}
    assert matched(client.get("/postings/a/matches", params=given)) == ["d", "e", "f"]
    assert matched(client.get("/postings/d/matches", params=given)) == ["f", "b", "a"]


def test_a_query_that_is_sent_brings_the_values_itself(titled: TestClient) -> None:
    own = {"seller": ["acme", "nobody"], "price": 1}
    for response in (
        titled.post("/match", json={"title": "kopi", "metadata": own, "exclude": "seller"}, params=ANY),
        titled.post("/match", json={"title": "kopi", "metadata": own}, params={**ANY, "exclude": "seller,price"}),
        titled.post(
            "/match",
            files={"title": (None, "kopi"), "metadata": (None, json.dumps(own)), "exclude": (None, "seller")},
            params=ANY,
        ),
    ):
        assert sorted(matched(response)) == ["b", "d", "e", "f"]
    assert len(matched(titled.post("/match", json={"title": "kopi"}, params={**ANY, "exclude": "seller"}))) == 6


def test_what_is_sent_is_of_no_product(titled: TestClient) -> None:
    response = titled.post("/match", json={"title": "kopi", "exclude": "product"})
    assert_problem(response, 422, "filter-invalid")
    assert "what is not stored is of none" in response.json()["detail"]


def test_products_that_are_not_known_exclude_nothing_silently(titled: TestClient) -> None:
    assert_problem(titled.get("/postings/a/matches", params={"exclude": "product"}), 503, "products-unknown")


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/postings/a/matches"), ("GET", "/postings"), ("GET", "/products"), ("GET", "/review")],
)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("seller=", "filter, character 8: expected a value, got the end"),
        ('{"seller": {"is": 1}}', "filter.seller: expected a value, or an object of in,"),
        ('{"\\ud800": 1}', "filter.?: expected the name of a field"),
        ("a=" + 5000 * "x", "filter: expected at most 4096 bytes, got 5002"),
    ],
)
def test_a_filter_that_is_none_is_refused_with_its_place(
    client: TestClient, method: str, path: str, given: str, said: str
) -> None:
    response = client.request(method, path, params={"filter": given})
    assert_problem(response, 422, "filter-invalid")
    assert said in response.json()["detail"]


def test_exclusions_that_are_none_are_refused(client: TestClient) -> None:
    for given, said in (("", "name 1"), ("seller,,x", "name 2"), (",".join(map(str, range(21))), "at most 20 names")):
        response = client.get("/postings/a/matches", params={"exclude": given})
        assert_problem(response, 422, "filter-invalid")
        assert said in response.json()["detail"]


def test_metadata_of_a_query_is_checked_as_that_of_a_posting(titled: TestClient) -> None:
    for given, more in (({"a.b": 1}, {"exclude": "a"}), ({"a": "x" * 9000}, {})):
        response = titled.post("/match", json={"title": "kopi", "metadata": given, **more})
        assert_problem(response, 422, "invalid-request")
        assert "metadata" in response.json()["errors"][0]["location"]


# --- fields ------------------------------------------------------------------------------------------------------


def test_fields_are_declared_listed_and_withdrawn(client: TestClient) -> None:
    """A declaration counts what there is; it changes no answer."""
    given = {**ANY, "filter": "price=10..20"}
    before = client.get("/postings/a/matches", params=given).json()["matches"]
    assert client.get("/fields").json()["fields"] == []
    first = client.put("/fields/price", json={"type": "number"})
    assert (first.status_code, first.json()) == (
        201,
        {"name": "price", "type": "number", "evidence": False, "numbers": 3, "texts": 0},
    )
    assert client.put("/fields/price", json={"type": "number"}).status_code == 200
    assert client.put("/fields/size.eu", json={"type": "text"}).json()["numbers"] == 1
    assert [it["name"] for it in client.get("/fields").json()["fields"]] == ["price", "size.eu"]
    assert client.get("/postings/a/matches", params=given).json()["matches"] == before
    assert client.delete("/fields/price").status_code == 204
    assert_problem(client.delete("/fields/price"), 404, "field-not-found")
    assert client.get("/postings/a/matches", params=given).json()["matches"] == before


def test_a_field_is_declared_as_evidence(client: TestClient) -> None:
    """Until it is declared without it."""
    assert client.put("/fields/price", json={"type": "number", "evidence": True}).json()["evidence"]
    assert [it["evidence"] for it in client.get("/fields").json()["fields"]] == [True]
    again = client.put("/fields/price", json={"type": "number"})
    assert (again.status_code, again.json()["evidence"]) == (200, False)


@pytest.mark.parametrize("name", ["$label_group", "$posting_id"])
def test_what_is_no_metadata_is_no_evidence(client: TestClient, name: str) -> None:
    """A label group would tell the matcher what it is to find out."""
    assert client.put(f"/fields/{name}", json={"type": "text"}).status_code == 201
    problem = client.put(f"/fields/{name}", json={"type": "text", "evidence": True})
    assert_problem(problem, 422, "filter-invalid")
    assert "expected a field of metadata" in problem.json()["detail"]


def test_a_query_is_compared_by_its_metadata(serve: Serve) -> None:
    """What is no evidence is not looked at; equal titles are identical whatever is asked for them."""
    price = Field("price", "number", evidence=True)
    search = scored_search(sold(), ("title",), evidence=EvidenceFields.every([price]))
    client = serve(matcher=matcher_over(Catalogue(sold()), {}, {}, search))

    def probability(metadata: dict[str, Any], title: str = "Kopi a new") -> float:
        response = client.post("/match?min_probability=0", json={"title": title, "metadata": metadata})
        return float({it["posting_id"]: it["probability"] for it in response.json()["matches"]}["a"])

    unknown = probability({})
    assert probability({"seller": "lg"}) == probability({"price": 5}) == unknown
    assert probability({"price": 6}) < unknown
    assert probability({"price": 5}, "Kopi a") == 1
    assert 0.99 < probability({"price": 6}, "Kopi a") < 1


def test_a_field_that_can_be_none_is_not_declared(client: TestClient) -> None:
    assert_problem(client.put("/fields/a..b", json={"type": "text"}), 422, "filter-invalid")
    assert_problem(client.put("/fields/seller", json={"type": "date"}), 422, "invalid-request")


def test_as_many_fields_may_be_declared_as_the_setting_says(shop: ProductShop) -> None:
    with client_of(make_app_of(shop, max_declared_fields=1)) as client:
        assert client.put("/fields/seller", json={"type": "text"}).status_code == 201
        assert_problem(client.put("/fields/price", json={"type": "number"}), 413, "too-many-items")
        assert client.put("/fields/seller", json={"type": "number"}).status_code == 200


def test_declaring_takes_a_key_of_scope_admin(shop: ProductShop) -> None:
    scopes: tuple[Scope, ...] = ("read", "write", "admin")
    each = [new_key(scope, scope) for scope in scopes]
    with client_of(make_app_of(shop, api_keys=",".join(kept.line() for _, kept in each))) as client:
        for (key, _), status in zip(each, (403, 403, 201), strict=True):
            headers = {"X-API-Key": key}
            assert client.get("/fields", headers=headers).status_code == 200
            assert client.put("/fields/seller", json={"type": "text"}, headers=headers).status_code == status


# --- anything ----------------------------------------------------------------------------------------------------

_PIECES = ("seller", "price", "size.eu", "$posting_id", "=", "!=", "!", "|", ";", "..", '"', "acme", "10", "-1e3", " ")
_ODD = (
    "é",
    "\u202e",
    "\x00",
    "\\u0041",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    "null",
    "true",
    "1e999",
    "٣",
    ".",
    "$",
    "#",
    "%",
)


def drawn_text(rng: random.Random) -> str:
    pieces = _PIECES if rng.random() < 0.6 else _PIECES + _ODD
    return "".join(rng.choice(pieces) for _ in range(rng.randrange(12)))


def drawn_json(rng: random.Random, depth: int = 0) -> Any:
    """Something that is nearly a filter."""
    if depth > 9 or rng.random() < 0.25:
        return rng.choice(["acme", 38, -0.5, 1e400, True, None, "", "\ud800", "x" * 40, 10**30, float("nan")])
    if rng.random() < 0.3:
        return [drawn_json(rng, depth + 1) for _ in range(rng.randrange(4))]
    names = ("and", "or", "not", "in", "gte", "lt", "exists", "seller", "price", "$label_group", "a.b", "\ud800", "")
    return {rng.choice(names): drawn_json(rng, depth + 1) for _ in range(rng.randrange(4))}


def ask_anything(client: TestClient, seed: int) -> None:
    """One filter of any kind by one way there is."""
    rng = random.Random(seed)
    given = drawn_text(rng) if rng.random() < 0.5 else json.dumps(drawn_json(rng), ensure_ascii=rng.random() < 0.9)
    given = given.encode("utf-8", "replace").decode()
    ways = rng.randrange(6)
    if ways == 0:
        response = client.get(
            "/postings/a/matches", params={**ANY, "filter": given, "exclude": rng.choice(["seller", given])}
        )
    elif ways == 1:
        response = client.get(rng.choice(["/postings", "/products", "/review"]), params={"filter": given})
    elif ways == 2:
        body = {"title": "kopi", "filter": drawn_json(rng), "metadata": drawn_json(rng), "exclude": drawn_text(rng)}
        content = json.dumps(body)
        response = client.post("/match", content=content, headers={"Content-Type": "application/json"}, params=ANY)
    elif ways == 3:
        response = client.post(
            "/match", files={"title": (None, "kopi"), "filter": (None, given), "metadata": (None, given)}
        )
    elif ways == 4:
        content = json.dumps({"posting_ids": "all", "method": "matcher", "filter": drawn_json(rng)})
        response = client.post("/cluster", content=content, headers={"Content-Type": "application/json"})
    else:
        response = client.put(
            f"/fields/{rng.choice(['a', 'seller', '$posting_id', 'é', '%00'])}", json={"type": "text"}
        )
    assert response.status_code < 500, (seed, response.text)


@pytest.mark.slow
def test_any_filter_is_answered_or_refused(client: TestClient) -> None:
    """Two thousand drawn ones, by every way there is."""
    for seed in range(2_000):
        ask_anything(client, seed)


@pytest.mark.long
def test_ten_thousand_more_are(client: TestClient) -> None:
    for seed in range(2_000, 12_000):
        ask_anything(client, seed)
