"""Where a request's path lies: below the root path, and below a namespace."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.types import Scope

from pricematch.api.links import NAMESPACES_PREFIX, VERSION_PREFIX

_NAMED = "pricematch.namespace"
"""Where the scope of a request has the name of the namespace that its path names."""
_NAMESPACE = re.compile(rf"{NAMESPACES_PREFIX}/([^/]+)(?=/)")


class Placement:
    """Tells of a path what of it is root path, as ASGI has it: a namespace is to routes as if it were mounted there.

    Args:
        root_path: setting `root_path`. A path is the same whether the proxy strips it or passes it on.
        inside: paths of the routes that are served in a namespace, without version; others are the service's own.
    """

    def __init__(self, root_path: str, inside: Iterable[str]) -> None:
        self._root = root_path
        self._inside = frozenset(_first(path) for path in inside)

    def of(self, path: str) -> Mapping[str, Any]:
        """What the scope of a request has besides."""
        root = self._root
        whole = path if f"{path}/".startswith(f"{root}/") else root + path
        found = _NAMESPACE.match(whole, len(root))
        if found is None or _first(whole[found.end() :].removeprefix(VERSION_PREFIX)) not in self._inside:
            return {"root_path": root, "path": whole} if root else {"path": whole}
        return {
            "root_path": whole[: found.end()],
            "app_root_path": root,  # that of pages which are beside the namespaces
            "path": whole,
            _NAMED: found[1],
        }


def named_in(scope: Scope) -> str | None:
    """The namespace that a request's path names, which need not exist; None where it names none."""
    found: str | None = scope.get(_NAMED)
    return found


def _first(path: str) -> str:
    """What is between the first slash of a path and the next one."""
    return path.split("/", 2)[1] if path.startswith("/") else ""
