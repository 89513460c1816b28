"""The request that lines are about."""

import contextvars

import pytest

from pricematch.api.log_requests import begin, current, end


@pytest.mark.parametrize("given", ["a", "7f3e.shop-1_x", "A" * 64])
def test_an_id_that_a_client_gives_is_taken(given: str) -> None:
    asked, token = begin(given)
    assert asked.request_id == current().request_id == given
    end(token)
    assert current().request_id == ""


@pytest.mark.parametrize("given", [None, "", "a b", "a\nb", "é", "A" * 65, "<script>", "\x1b[31m"])
def test_one_with_which_a_line_could_be_forged_is_replaced(given: str | None) -> None:
    asked, token = begin(given)
    assert len(asked.request_id) == 32
    assert asked.request_id.isalnum()
    other, _ = begin(given)
    assert other.request_id != asked.request_id
    end(token)


def test_what_is_done_elsewhere_knows_nothing_of_it() -> None:
    def inside() -> str:
        begin("mine")
        return current().request_id

    assert contextvars.copy_context().run(inside) == "mine"
    assert current().request_id == ""
