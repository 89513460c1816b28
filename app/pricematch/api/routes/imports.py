"""POST /postings/import: many postings at once, behind the requests."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pricematch.api.bodies import described
from pricematch.api.content import MULTIPART, content_type, invalid, refuse_type, validated
from pricematch.api.dependencies import WRITE, LinksDep, ReadyService
from pricematch.api.forms import Parts, Places, once, open_form
from pricematch.api.idempotency import ONCE
from pricematch.api.limits import allow_import
from pricematch.api.problems import responses
from pricematch.api.schemas.jobs import JobOut, job_fields
from pricematch.serving.uploads import ImportOptions
from pricematch.settings import CsvDelimiter, CsvEncoding

router = APIRouter(tags=["postings"])
_PARTS = ("postings", "images")
_FILE = {"type": "string", "format": "binary"}


class ImportQuery(BaseModel):
    """How a file is imported."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(
        default=False,
        description="Store nothing: the job says what an import would do, which rows would fail, and what is odd.",
    )
    encoding: CsvEncoding | None = Field(
        default=None, description="Of the file; the setting `csv_encoding` if absent, by which it is detected."
    )
    delimiter: CsvDelimiter | None = Field(
        default=None, description="Of a CSV file; the setting `csv_delimiter` if absent, by which it is detected."
    )


class ImportForm(BaseModel):
    """The text fields of an import."""

    model_config = ConfigDict(extra="forbid")

    folder: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        default=None,
        description="Folder of the server that the images are in, instead of `images`: a path relative to the one "
        "the setting `import_folder` names.",
    )


_POSTINGS = (
    "CSV with the columns posting_id, image or title, and perhaps image_2 to image_8, image_phash, label_group; "
    "or NDJSON with them."
)
_IMAGES = "ZIP file of the images; a row's `image` is the name of a member, as are `image_2` to `image_8`."
_FORM = {
    "type": "object",
    "required": ["postings"],
    "properties": {
        "postings": {**_FILE, "description": _POSTINGS},
        "images": {**_FILE, "description": _IMAGES},
        **ImportForm.model_json_schema()["properties"],
    },
}
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "It is kept, and will be imported whatever happens to the service.",
        "headers": {"Location": {"description": "The job.", "schema": {"type": "string"}}},
    }
}


@router.post(
    "/postings/import",
    operation_id="importPostings",
    dependencies=[WRITE, ONCE],
    status_code=202,
    openapi_extra=described({MULTIPART: _FORM}),
    responses=responses(400, 413, 415, 422, 429, 500, 503, 507) | _ACCEPTED,
)
async def import_postings(
    request: Request,
    service: ReadyService,
    links: LinksDep,
    response: Response,
    query: Annotated[ImportQuery, Query()],
) -> JobOut:
    """Store the postings of a file, each in place of the one with its id; a bad row fails alone."""
    allow_import(request.scope, service.settings)
    if (kind := content_type(request)) != MULTIPART:
        refuse_type(kind, MULTIPART)
    job_id = await service.begin_import()
    try:
        folder = await _received(request, {name: partial(service.open_import, job_id, name) for name in _PARTS})
        options = ImportOptions(query.encoding, query.delimiter, query.dry_run)
        job = await service.queue_import(job_id, folder, options)
    finally:
        await service.discard_import(job_id)
    response.headers["Location"] = links.job(job.job_id)
    return JobOut.model_validate(job_fields(job))


async def _received(request: Request, places: Places) -> str | None:
    """Write what is sent to where it is to be; the folder of the server that is named.

    Raises:
        HTTPException: 400 for a form that cannot be parsed.
        RequestValidationError: parts that are missing, unknown, or come twice.
        LimitExceeded: more parts.
        StoreError: it cannot be written.
    """
    names = ImportForm.model_fields
    async with open_form(request, Parts(places, names, len(places) + 1, len(names) + len(places)), places) as form:
        once(form, set(form))
        if "postings" not in form:
            raise invalid("postings", "expected a file part, got none")
        folder = validated(ImportForm, {name: value for name, value in form.items() if name in names}).folder
        if folder is not None and "images" in form:
            raise invalid("folder", "expected either a folder of the server or images, got both")
        return folder
