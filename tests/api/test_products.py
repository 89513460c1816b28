"""GET /products, what one is made of, and what became of it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from pricematch.api.keys import new_key
from pricematch.errors import StoreUnavailable
from pricematch.matching.product_links import product_links
from tests.support.applications import Serve, make_app_of
from tests.support.contract import assert_problem, client_of
from tests.support.product_shop import ProductShop, in_memory

BITS = {"a": 0, "b": 1, "c": 3, "d": 20, "e": 24, "f": 36, "g": 37, "h": 50, "i": 62}
SORTS = ("size", "doubt", "changed")


@pytest.fixture
def shop() -> ProductShop:
    """Of nine postings in five products: `a` `b` `c`, `d` `e`, `f` `g`, `h`, `i`."""
    shop = in_memory()
    for posting_id, bits in BITS.items():
        shop.put(posting_id, bits)
        if posting_id == "e":
            shop.intake.decide("d", "e", "same")
    for one, other in (("c", "d"), ("e", "f"), ("g", "h"), ("h", "i")):
        shop.intake.decide(one, other, "different")
    return shop


@pytest.fixture
def client(shop: ProductShop) -> Iterator[TestClient]:
    with client_of(make_app_of(shop)) as client:
        yield client


def groups(client: TestClient) -> dict[str, Any]:
    """Product id by posting_id, by the list of postings."""
    return {it["posting_id"]: it["product_id"] for it in client.get("/postings").json()["postings"]}


def paged(client: TestClient, path: str, field: str, **given: Any) -> list[Any]:
    """What all pages have."""
    found, cursor = list[Any](), None
    while True:
        body = client.get(path, params={**given, **({} if cursor is None else {"cursor": cursor})}).json()
        assert 0 < len(body[field]) <= given["limit"]
        found += body[field]
        cursor = body["next_cursor"]
        if cursor is None:
            return found


# --- the list ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 100])
def test_pages_have_each_product_once(client: TestClient, shop: ProductShop, sort: str, limit: int) -> None:
    """In the same order, whatever the limit."""
    found = paged(client, "/products", "products", sort=sort, limit=limit)
    assert [it["product_id"] for it in found] == [f"p{it.number}" for it in sorted_products(shop, sort)]
    assert {it["product_id"] for it in found} == set(groups(client).values())
    body = client.get("/products").json()
    assert (body["total"], len(body["products"])) == (len(found), len(found))


def sorted_products(shop: ProductShop, sort: str) -> Sequence[Any]:
    """The products that have postings, as they are to be sorted."""
    every = [shop.products.product(number) for number in range(1, shop.products.state().last_number + 1)]
    there = [it for it in every if it is not None and it.size]
    keys = {"size": lambda it: it.size, "doubt": lambda it: it.doubt, "changed": lambda it: it.revision}
    return sorted(there, key=lambda it: (-keys[sort](it), it.number))


def test_a_listed_product_shows_its_first_postings(client: TestClient, shop: ProductShop) -> None:
    """Three at most, each with the product's id."""
    shop.put("bb", 2)
    product = client.get("/products", params={"limit": 1}).json()["products"][0]
    assert (product["product_id"], product["size"]) == ("p1", 4)
    assert [it["posting_id"] for it in product["postings"]] == ["a", "b", "bb"]
    assert {it["product_id"] for it in product["postings"]} == {"p1"}
    assert 0 < product["doubt"] < 1
    created, changed = (datetime.fromisoformat(product[name]) for name in ("created_at", "changed_at"))
    assert created.tzinfo == UTC
    assert created <= changed


@pytest.mark.parametrize(
    "cursor",
    [
        *("0", "3:", ":1", "3:0", "3:p1", "-1:1", "nan:1", "inf:1", ".:1", "e:1", "-:1", "1.2.3:1", "...:1", "1e:1"),
        *("3:1 ", "٣:1", "3:١", "3:1\n", "9" * 31 + ":1", "3:" + "9" * 19, "1e5:1", "e-5:1", "x" * 5000),
    ],
)
def test_what_is_no_cursor_of_products_is_refused(client: TestClient, cursor: str) -> None:
    for sort in SORTS:
        assert_problem(client.get("/products", params={"sort": sort, "cursor": cursor}), 422, "invalid-request")


@pytest.mark.parametrize("cursor", ["0:1", "0.0:999999999999999999", "1e-300:1", "1e-999:1"])
def test_behind_the_last_product_there_is_none(client: TestClient, cursor: str) -> None:
    body = client.get("/products", params={"cursor": cursor}).json()
    assert (body["products"], body["next_cursor"], body["total"]) == ([], None, 5)


@pytest.mark.parametrize("cursor", ["9" * 18 + ":1", "9" * 18 + "." + "9" * 24 + ":" + "9" * 18])
def test_before_the_first_product_all_follow(client: TestClient, cursor: str) -> None:
    assert len(client.get("/products", params={"cursor": cursor}).json()["products"]) == 5


@pytest.mark.parametrize(
    "asked", [{"sort": "name"}, {"limit": 0}, {"limit": 101}, {"limit": "x"}, {"offset": 1}, {"sort": ""}]
)
def test_other_orders_and_limits_are_refused(client: TestClient, asked: dict[str, Any]) -> None:
    assert_problem(client.get("/products", params=asked), 422, "invalid-request")


@pytest.mark.parametrize("sort", SORTS)
def test_deleting_while_paging_hides_no_other_product(client: TestClient, sort: str) -> None:
    """Also where the product is gone that the cursor stands behind."""
    first = client.get("/products", params={"sort": sort, "limit": 2}).json()
    every = [it["product_id"] for it in client.get("/products", params={"sort": sort}).json()["products"]]
    for posting in first["products"][1]["postings"]:
        client.delete(f"/postings/{posting['posting_id']}")
    rest = client.get("/products", params={"sort": sort, "cursor": first["next_cursor"]}).json()
    assert [it["product_id"] for it in rest["products"]] == every[2:]
    assert rest["total"] == 4


# --- one ---------------------------------------------------------------------------------------------------------


def test_a_product_has_all_of_its_postings(client: TestClient, shop: ProductShop) -> None:
    body = client.get("/products/p1").json()
    threshold = shop.search.rule(None, None).thresholds.match
    links = product_links(shop.search, shop.search.catalogue.rows[:3], threshold)
    assert (body["product_id"], body["size"], body["next_cursor"]) == ("p1", 3, None)
    assert [it["posting_id"] for it in body["members"]] == ["a", "b", "c"]
    assert [it["probability"] for it in body["members"]] == links.probabilities.round(6).tolist()
    assert links.weakest is not None
    assert body["weakest"] == {"first": "b", "second": "c", "probability": round(links.weakest.probability, 6)}
    assert body["catalogue_version"] == shop.snapshots.current.version
    assert body["threshold"] == threshold


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_have_each_member_once(client: TestClient, limit: int) -> None:
    found = paged(client, "/products/p1", "members", limit=limit)
    assert [it["posting_id"] for it in found] == ["a", "b", "c"]


def test_a_posting_alone_has_no_weakest_link(client: TestClient) -> None:
    body = client.get(f"/products/{groups(client)['i']}").json()
    assert (body["size"], body["doubt"], body["weakest"], body["bridges"]) == (1, 0, None, [])
    assert [it["probability"] for it in body["members"]] == [1]


def test_bridges_are_pairs_that_hold_it_together(client: TestClient, shop: ProductShop) -> None:
    """In a triangle there is none."""
    [bridge] = client.get(f"/products/{groups(client)['f']}").json()["bridges"]
    assert (bridge["first"], bridge["second"]) == ("f", "g")
    assert client.get("/products/p1").json()["bridges"] == []


@pytest.mark.parametrize(
    "product", ["p0", "p01", "p", "P1", "1", "p-1", "p1.0", "p²", "p٣", "p１", "p1%20", "p" + "9" * 19, "%00", "p1e3"]
)
def test_what_no_product_is_called_is_refused(client: TestClient, product: str) -> None:
    for path in (f"/products/{product}", f"/products/{product}/history"):
        assert_problem(client.get(path), 422, "invalid-request")


@pytest.mark.parametrize("product", ["p99", "p999999999999999999"])
def test_a_product_that_never_was_is_not_found(client: TestClient, product: str) -> None:
    for path in (f"/products/{product}", f"/products/{product}/history"):
        assert_problem(client.get(path), 404, "product-not-found")


@pytest.mark.parametrize("asked", [{"limit": 0}, {"limit": 1001}, {"cursor": "\x00"}, {"cursor": ".."}])
def test_what_is_no_page_of_members_is_refused(client: TestClient, asked: dict[str, Any]) -> None:
    assert_problem(client.get("/products/p1", params=asked), 422, "invalid-request")


def test_a_product_without_postings_is_gone(client: TestClient) -> None:
    own = groups(client)["i"]
    client.delete("/postings/i")
    assert_problem(client.get(f"/products/{own}"), 410, "product-gone")
    events = client.get(f"/products/{own}/history").json()["events"]
    assert [(it["kind"], it["cause"]) for it in events] == [("removed", "deletion"), ("created", "arrival")]


@pytest.mark.parametrize("root", ["", "/match-api"])
def test_a_merged_product_leads_to_the_other(shop: ProductShop, root: str) -> None:
    """To the last one, however often that has merged since, below the path of the proxy."""
    with TestClient(make_app_of(shop, root_path=root), follow_redirects=False) as client:
        before = groups(client)
        client.put("/verdicts/h/i", json={"verdict": "same"})
        shop.put("i", 2)
        shop.put("h", 2)
        for posting_id in "hi":
            answer = client.get(f"/products/{before[posting_id]}")
            assert (answer.status_code, answer.headers["location"]) == (308, f"{root}/v1/products/p1")
            assert answer.json() == {"product_id": before[posting_id], "merged_into": "p1"}
        event = client.get(f"/products/{before['i']}/history").json()["events"][0]
        assert (event["kind"], event["after"], event["merged_into"]) == ("merged", [], before["h"])


# --- history -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_a_history_tells_who_was_in_it_when(client: TestClient, shop: ProductShop, limit: int) -> None:
    """The newest first, whatever the limit: what was after one event was before the next."""
    client.delete("/postings/b")
    shop.put("c", 60)
    events = paged(client, "/products/p1/history", "events", limit=limit)
    assert [(it["kind"], it["cause"], it["joined"], it["left"], it["after"]) for it in events] == [
        ("split", "change", [], ["c"], ["a"]),
        ("changed", "deletion", [], ["b"], ["a", "c"]),
        ("changed", "arrival", ["c"], [], ["a", "b", "c"]),
        ("changed", "arrival", ["b"], [], ["a", "b"]),
        ("created", "arrival", ["a"], [], ["a"]),
    ]
    assert [it["before"] for it in events] == [*(it["after"] for it in events[1:]), []]
    revisions = [it["revision"] for it in events]
    assert revisions == sorted(revisions, reverse=True)
    assert client.get("/products/p1/history").json()["catalogue_version"] >= revisions[0]


@pytest.mark.parametrize(
    "asked", [{"limit": 0}, {"limit": 101}, {"cursor": "0"}, {"cursor": "-1"}, {"cursor": str(2**63)}, {"cursor": "x"}]
)
def test_what_is_no_page_of_a_history_is_refused(client: TestClient, asked: dict[str, Any]) -> None:
    assert_problem(client.get("/products/p1/history", params=asked), 422, "invalid-request")


# --- in other answers --------------------------------------------------------------------------------------------


def test_every_answer_about_a_posting_names_its_product(client: TestClient) -> None:
    own = groups(client)
    assert own["a"] == own["b"] == own["c"] != own["d"]
    for match in client.get("/postings/a/matches", params={"min_probability": 0}).json()["matches"]:
        assert match["product_id"] == own[match["posting_id"]]
    pairs = client.get("/review", params={"limit": 50}).json()["pairs"]
    assert pairs
    for pair in pairs:
        assert [pair[end]["product_id"] for end in ("first", "second")] == [
            own[pair[end]["posting_id"]] for end in ("first", "second")
        ]
    put = client.put("/postings/new", json={"title": "new"})
    assert put.json()["product_id"] == client.get("/postings/new").json()["product_id"] == groups(client)["new"]


def test_the_tag_of_a_posting_changes_with_its_product(client: TestClient) -> None:
    """Though the posting does not; who changes it says which revision it has read, whatever its product."""
    before = client.get("/postings/h").headers["etag"]
    client.put("/verdicts/h/i", json={"verdict": "same"})
    client.put("/verdicts/h/a", json={"verdict": "different"})
    tag = client.get("/postings/i").headers["etag"]
    unchanged = client.get("/postings/h", headers={"If-None-Match": before})
    assert unchanged.status_code == 304
    client.put("/verdicts/h/i", json={"verdict": "different"})
    changed = client.get("/postings/i", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)
    put = client.put("/postings/i", json={"title": "new"}, headers={"If-Match": tag})
    assert put.status_code == 200
    assert_problem(client.delete("/postings/i", headers={"If-Match": tag}), 412, "condition-failed")


# --- where there are none ----------------------------------------------------------------------------------------


def test_without_a_matcher_there_are_no_products(serve: Serve) -> None:
    client = serve()
    for path in ("/products", "/products/p1"):
        assert_problem(client.get(path), 409, "matcher-needed")
    assert_problem(client.get("/products/p1/history"), 404, "product-not-found")
    assert client.get("/postings/p0").json()["product_id"] is None


def test_products_that_are_not_known_are_a_problem_for_a_while(
    client: TestClient, shop: ProductShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Any:
        raise StoreUnavailable("locked")

    with monkeypatch.context() as patched:
        patched.setattr(shop.products, "keep", fail)
        assert client.put("/postings/new", json={"title": "new"}).json()["product_id"] is None
        for path in ("/products", "/products/p1"):
            assert_problem(client.get(path), 503, "products-unknown")
    assert client.put("/postings/other", json={"title": "new"}).json()["product_id"] is not None
    assert client.get("/products/p1").status_code == 200


def test_products_are_for_who_may_read(shop: ProductShop) -> None:
    key, kept = new_key("shop", "read")
    with client_of(make_app_of(shop, api_keys=kept.line())) as client:
        for path in ("/products", "/products/p1", "/products/p1/history"):
            assert_problem(client.get(path), 401, "unauthenticated")
            assert client.get(path, headers={"Authorization": f"Bearer {key}"}).status_code == 200
