"""Connections that no request was read from: in the log and the figures as requests are, answered as safely."""

import logging
from collections.abc import Mapping

from pricematch.api.log_lines import FIELDS
from pricematch.api.log_requests import new_id
from pricematch.api.metrics import NO_ROUTE, Metrics
from pricematch.api.problems import TYPE_PREFIX, Problem
from pricematch.api.requests import HEADERS

_log = logging.getLogger("pricematch.access")


class Refusals:
    """Tells of connections that were answered without the application.

    Args:
        metrics: counts them.
        log: whether a line is logged for each.
    """

    def __init__(self, metrics: Metrics, *, log: bool) -> None:
        self._metrics, self._log = metrics, log

    def tell(self, problem: Problem, client: str) -> Mapping[str, str]:
        """A connection is refused just now.

        Args:
            problem: what it is answered.
            client: its address.

        Returns:
            The headers of that answer, but for those of its content.
        """
        request_id, slug = new_id(), problem.type.removeprefix(TYPE_PREFIX)
        self._metrics.observe_refusal(problem.status)
        if self._log:
            fields = {"route": NO_ROUTE, "status": problem.status, "client": client, "problem": slug}
            line = f"{client} {problem.status} {slug} {request_id}"
            _log.info("%s", line, extra={FIELDS: {"request_id": request_id, **fields}})
        return {**HEADERS, "X-Request-ID": request_id}
