"""Outcomes of verbs: what a person is shown, or with `--json` one document on stdout."""

import inspect
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, ParamSpec

import typer

from pricematch.errors import CatalogueError, RowProblem

P = ParamSpec("P")
FLAG = "--json"
_HELP = "Write one JSON document to stdout instead; see docs/scripting.md for its fields."


@dataclass(frozen=True)
class Outcome:
    """What a verb did or found.

    Attributes:
        document: as `--json` writes it; its fields stay as they are, and others may come.
        show: shows it to a person, on stdout.
        code: exit code; 1 where the verb has worked, and something is wrong with what it looked at.
    """

    document: Mapping[str, Any]
    show: Callable[[], None]
    code: int = 0


def verb(function: Callable[P, Outcome | None]) -> Callable[..., None]:
    """A command of typer made of a function that returns its outcome: it has the option `--json` besides.

    While the function works, what any library prints goes to stderr. A function of a group that only leads on to one of
    its verbs has no outcome.
    """

    @wraps(function)
    def command(*args: P.args, **options: P.kwargs) -> None:
        as_json = options.pop("as_json")
        with redirect_stdout(sys.stderr):
            outcome = function(*args, **options)
        if outcome is None:
            return
        if as_json:
            write_document(outcome.document)
        else:
            outcome.show()
        if outcome.code:
            raise typer.Exit(outcome.code)

    flag = Annotated[bool, typer.Option(FLAG, help=_HELP)]
    signature = inspect.signature(function, eval_str=True)
    option = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=flag)
    parameters = [*signature.parameters.values(), option]
    vars(command)["__signature__"] = signature.replace(parameters=parameters, return_annotation=None)
    command.__annotations__ = {it.name: it.annotation for it in parameters} | {"return": None}
    return command


def write_document(document: Mapping[str, Any]) -> None:
    """Write a document on one line of ASCII, whatever the encoding of stdout is."""
    typer.echo(json.dumps(document, allow_nan=False))


def error_document(message: str, kind: str, problems: Sequence[RowProblem] = ()) -> Mapping[str, Any]:
    """The document of a verb that failed: a sentence, the name of the error, and bad rows where a file has some."""
    return {"error": {"type": kind, "message": message, **({"problems": problem_rows(problems)} if problems else {})}}


def document_of(error: Exception) -> Mapping[str, Any]:
    """The document of an error of ours."""
    problems = error.problems if isinstance(error, CatalogueError) else ()
    return error_document(str(error).partition("\n")[0], type(error).__name__, problems)


def problem_rows(problems: Sequence[RowProblem]) -> list[dict[str, Any]]:
    """Bad rows as a document has them."""
    return [{"row": it.row, "column": it.column, "posting_id": it.posting_id, "message": it.message} for it in problems]


def finite(value: float) -> float | None:
    """A number as JSON has it: null where it is none, such as a threshold that nothing reaches."""
    return float(value) if math.isfinite(value) else None
