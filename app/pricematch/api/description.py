"""The description of the API in OpenAPI's form: examples that work when tried, and what generators of clients read."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from pricematch.api import problems
from pricematch.api.content import MULTIPART
from pricematch.api.links import NAMESPACES_PREFIX, VERSION_PREFIX
from pricematch.settings import DEFAULT_NAMESPACE, NAMESPACE_RULE

DESCRIPTION = """Which postings show the same product?

Errors are `application/problem+json` (RFC 9457). Where the service asks for keys, send yours as
`Authorization: Bearer KEY` or `X-API-Key: KEY`."""
TAGS = [
    {"name": "match", "description": "Postings that are the same product as an image, a title, or both."},
    {"name": "postings", "description": "The catalogue: read it, change it, import into it."},
    {"name": "products", "description": "Which product each posting is of, under ids that last."},
    {"name": "changes", "description": "What has changed since a version, also as it comes."},
    {"name": "jobs", "description": "What goes on behind the requests."},
    {"name": "verdicts", "description": "What people say of pairs, and pairs to ask them about."},
    {"name": "cluster", "description": "Which of a batch belong together."},
    {"name": "fields", "description": "Fields of postings that filters name often."},
    {"name": "models", "description": "The models that answer."},
    {"name": "namespaces", "description": "Catalogues that one service has beside each other."},
    {"name": "health", "description": "For whoever watches the process."},
]
_REFERENCE = "#/components/schemas/{model}"
_PAGES = {
    "type": "cursor",
    "inputs": [{"name": "cursor", "in": "parameters", "type": "cursor"}],
    "outputs": {"nextCursor": "$.next_cursor"},
}
"""How pages follow each other, in the form of Speakeasy's extension, which other generators read, too."""


def describe(app: FastAPI, root_path: str, example_ids: Sequence[str], method: str) -> dict[str, Any]:
    """The description of an application, its examples taken from the catalogue that is served.

    Args:
        app: has the routes.
        root_path: setting `root_path`.
        example_ids: of stored postings.
        method: of clustering, which this service has.
    """
    schema = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
        servers=[{"url": root_path or "/"}, _in_namespace(root_path)],
    )
    schemas = schema["components"]["schemas"]
    schemas |= _definitions()
    how: dict[str, Any] = {"method": method} if method == "matcher" else {"method": method, "eps": 0.005}
    for path, operations in schema["paths"].items():
        is_own = not path.startswith(VERSION_PREFIX) or path.startswith(VERSION_PREFIX + NAMESPACES_PREFIX)
        for operation in operations.values():
            if is_own:
                operation["servers"] = schema["servers"][:1]
            parameters = operation.get("parameters", ())
            for parameter in parameters:
                if parameter["name"] == "posting_id" and example_ids:
                    parameter["example"] = example_ids[0]
            if any(parameter["name"] == "cursor" for parameter in parameters):
                operation["x-speakeasy-pagination"] = _PAGES
            operation["responses"] |= _of_all(operation, in_namespace=not is_own)
            schemas |= _name_bodies(operation)
            if path == f"{VERSION_PREFIX}/cluster":
                body = operation["requestBody"]["content"]
                body["application/json"]["example"] = {"posting_ids": list(example_ids), **how}
    return schema


def _in_namespace(root_path: str) -> dict[str, Any]:
    """The address of a namespace."""
    variable = {"default": DEFAULT_NAMESPACE, "description": f"Name of a catalogue: {NAMESPACE_RULE}."}
    where = "The same in a namespace. A key that is bound to one needs no such path."
    return {
        "url": f"{root_path}{NAMESPACES_PREFIX}/{{namespace}}",
        "description": where,
        "variables": {"namespace": variable},
    }


def _of_all(operation: Mapping[str, Any], *, in_namespace: bool) -> dict[str, Any]:
    """Answers that all operations with a body may give, all that need a key, and all in a namespace."""
    statuses = [408, 413, 422] if "requestBody" in operation else [422]
    if in_namespace and "404" not in operation["responses"]:
        statuses.append(404)
    statuses += [401, 403, 429] if "security" in operation else []
    statuses += [409] if any(it["name"] == "idempotency-key" for it in operation.get("parameters", ())) else []
    return {str(status): response for status, response in problems.responses(*statuses).items()}


def _definitions() -> dict[str, Any]:
    """Schemas that only answers of errors refer to."""
    definitions = problems.Problem.model_json_schema(ref_template=_REFERENCE)
    return {**definitions.pop("$defs"), "Problem": definitions}


def _name_bodies(operation: dict[str, Any]) -> dict[str, Any]:
    """Schemas of the bodies that an endpoint reads itself, by the names that now stand in their place.

    Generators call types by these: the name of the model, or of the operation for a form and what is no one model.
    """
    if "requestBody" not in operation:
        return {}
    named: dict[str, Any] = {}
    operation["requestBody"] = body = deepcopy(operation["requestBody"])  # which all descriptions share
    for media_type, content in body["content"].items():
        schema = content["schema"]
        if schema.get("type") == "object":
            own = operation["operationId"][0].upper() + operation["operationId"][1:]
            name = f"{own}Form" if media_type == MULTIPART else schema.get("title", own)
            named |= schema.pop("$defs", {})
            named[name] = {**schema, "title": name}
            content["schema"] = {"$ref": _REFERENCE.format(model=name)}
    return named
