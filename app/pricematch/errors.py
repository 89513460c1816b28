"""What can go wrong, as the domain sees it. HTTP status lives in `api.problems`, exit codes in `__main__`.

PricematchError
├── SettingsError             an option or environment variable does not make sense
├── CatalogueError            a catalogue cannot be used; carries its row problems
├── FieldInvalid              a field of a posting, or something in its metadata, is not as it must be
├── PostingNotFound           no posting has this id
├── FeedbackNotFound          there is no feedback on these two postings
├── BatchNotFound             no batch of feedback has this id
├── ItemsRefused              some of many items cannot be used; names each
├── JobNotFound               no job has this id
├── ImportRefused             what is to be imported cannot be, as a whole
├── ImageError                one image cannot be used
│   ├── ImageEmpty            no bytes
│   ├── ImageTypeUnsupported  not one of the image formats we read
│   ├── ImageCorrupt          the right format, but it does not decode
│   ├── ImageTooLarge         more pixels than the limit
│   ├── ImageTooSmall         fewer pixels a side than the limit
│   ├── ImageTooComplex       it takes longer to decode than the limit
│   ├── ImageUnavailable      a posting's image is missing or must not be opened
│   └── ImageNotFetched       what is at a URL cannot be had, or may not be
├── LimitExceeded             more items than a request may hold
├── RequestUnanswerable       the service holds nothing to answer this with
│   ├── MatcherNeeded         only a matcher could
│   ├── EncoderNeeded         only an encoder could
│   ├── EncoderUnknown        it names an encoder that is not held
│   ├── LabelsNeeded          too few label groups and verdicts to learn from
│   ├── SignalNeeded          it lacks what the matcher compares
│   └── TargetUnknown         the matcher has no thresholds for this target
├── FilterInvalid             a filter of postings cannot be read
├── FieldNotDeclared          a filter would have to look into more postings than it may
├── FieldNotFound             no field of this name is declared
├── ArtefactError             an exported model cannot be used
│   └── RuntimeMissing        what could run it is not installed
├── ArtefactExists            a version or an output would be overwritten
├── ModelOutputError          a model answered with something that is no embedding
├── NotReady                  the service is still starting, or stopping
├── StoreError                what is kept on disk
│   ├── StoreUnavailable      cannot be read or written now
│   ├── StoreFull             has no room for more
│   ├── StoreDamaged          is not whole, or no store at all
│   │   └── RowDamaged        one posting, verdict, job or product is not as it was stored
│   ├── StoreNewer            was written by a newer pricematch
│   └── StoreInUse            is served by another process
├── ConditionFailed           a posting is not as the request says it must be
├── RequestRunning            the same request is being answered
├── KeyReused                 an idempotency key is of another request
├── ProductNotFound           no product ever had this id
├── ProductGone               no posting of the product is left
├── ProductMerged             the product is part of another now
├── ProductsUnknown           products could not be kept, and are not known until they can be
├── ProductsChanged           products are not as they were when they were read
├── HistoryLost               changes too long ago to be listed one by one
├── VersionUnknown            a version of the catalogue that is yet to come
├── OutgoingError             another host gave no answer that can be used
│   └── AddressRefused        it is not to be asked
├── Overloaded                more requests wait than may
├── DeadlineExceeded          it took longer than it may
├── ClientGone                nobody waits for the answer any more
├── Unauthenticated           no key, or an unknown one
├── Forbidden                 the key's scope does not cover this
├── RateExceeded              more requests with one key than it may make
└── TrainingInterrupted       Ctrl-C; the same command resumes
"""

from collections.abc import Sequence
from dataclasses import dataclass

SHOWN_PROBLEMS = 20


class PricematchError(Exception):
    """Root of every error a caller may want to catch; its text is one sentence for a person."""


class SettingsError(PricematchError):
    """An option or environment variable does not make sense."""


@dataclass(frozen=True)
class RowProblem:
    """A problem of one row of a catalogue file.

    Attributes:
        row: record number in the file, the header being row 1 (as a spreadsheet counts); 0 for the file as a whole.
        column: name of the column, or None where the whole row is meant.
        message: what was expected and what came.
        posting_id: as the row has it, where that is given too.
    """

    row: int
    column: str | None
    message: str
    posting_id: str | None = None

    def __str__(self) -> str:
        place = f"row {self.row}" if self.column is None else f"row {self.row}, column {self.column}"
        return f"{place}: {self.message}"


class CatalogueError(PricematchError):
    """A catalogue cannot be used.

    Attributes:
        problems: every bad row; empty where the file as a whole is at fault. The text shows the first 20 and a count.
    """

    def __init__(self, message: str, problems: Sequence[RowProblem] = ()) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.row))
        lines = [message, *(f"  {problem}" for problem in self.problems[:SHOWN_PROBLEMS])]
        hidden = len(self.problems) - SHOWN_PROBLEMS
        if hidden > 0:
            lines.append(f"  … and {hidden} more")
        super().__init__("\n".join(lines))


class FieldInvalid(PricematchError):
    """A field of a posting, or something in its metadata, is not as it must be.

    Attributes:
        field: its name, or the path of what is meant, such as `metadata.brand.name`.
        reason: what was expected and what came.
    """

    def __init__(self, field: str, reason: str) -> None:
        self.field, self.reason = field, reason
        super().__init__(f"{field}: {reason}")


class PostingNotFound(PricematchError):
    """No posting has this id."""

    def __init__(self, posting_id: str) -> None:
        super().__init__(f"no posting has the id {posting_id!r}")


class FeedbackNotFound(PricematchError):
    """There is no feedback on these two postings."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"there is no verdict on the postings {one!r} and {other!r}")


class BatchNotFound(PricematchError):
    """No batch of feedback has this id, or it was forgotten."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"no batch of verdicts that is kept has the id {batch_id!r}")


class ItemsRefused(PricematchError):
    """Some of many items cannot be used, so nothing is done.

    Attributes:
        faults: where each is, such as `decisions.3.left`, and what was expected and what came.
    """

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{place}: {message}" for place, message in self.faults[:SHOWN_PROBLEMS]))


class JobNotFound(PricematchError):
    """No job has this id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no job has the id {job_id!r}")


class RequestRunning(PricematchError):
    """A request with the same idempotency key is being answered."""


class KeyReused(PricematchError):
    """An idempotency key was sent with another request before."""


class ProductNotFound(PricematchError):
    """There never was such a product."""

    def __init__(self, product_id: str) -> None:
        super().__init__(f"there never was a product {product_id}")


class ProductGone(PricematchError):
    """None of a product's postings is left."""

    def __init__(self, product_id: str) -> None:
        super().__init__(f"none of the postings of product {product_id} is left; its history goes on being answered")


class ProductMerged(PricematchError):
    """A product has merged into another.

    Attributes:
        into: number of the other one.
    """

    def __init__(self, product_id: str, into: int) -> None:
        super().__init__(f"product {product_id} has merged into another")
        self.into = into


class ProductsUnknown(PricematchError):
    """Products could not be kept, and are not known until they can be."""

    def __init__(self) -> None:
        super().__init__("products could not be kept, as the log says; they are known again as soon as they can be")


class ImportRefused(PricematchError):
    """What is to be imported cannot be as a whole: no archive, a dangerous one, a folder that is not to be read."""


class ImageError(PricematchError):
    """One image cannot be used."""


class ImageEmpty(ImageError):
    """The image has no bytes."""


class ImageNotFetched(ImageError):
    """What is at a URL cannot be had, or may not be asked for."""


class ImageTypeUnsupported(ImageError):
    """The bytes are not one of the image formats we read."""


class ImageCorrupt(ImageError):
    """The bytes begin like an image but do not decode."""


class ImageTooLarge(ImageError):
    """The image has more pixels than the limit; known from its header, before decoding."""


class ImageTooSmall(ImageError):
    """The image has fewer pixels a side than the limit."""


class ImageTooComplex(ImageError):
    """The image has more parts than the limit, or took longer to decode: it is written to keep a processor busy."""


class ImageUnavailable(ImageError):
    """A posting's image is missing, is no regular file, or lies outside the image folder."""


class LimitExceeded(PricematchError):
    """A request holds more items than the limit."""


class RequestUnanswerable(PricematchError):
    """The service holds nothing to answer this with."""


class MatcherNeeded(RequestUnanswerable):
    """Only a matcher could answer this, and the service was started without one."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} takes a matcher, and this service was started without one (setting matcher: none)")


class EncoderNeeded(RequestUnanswerable):
    """Only an encoder of images could answer this, and the service holds none."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} takes an encoder of images, and this service was started without one")


class EncoderUnknown(RequestUnanswerable):
    """It names an encoder that the service does not hold."""


class LabelsNeeded(RequestUnanswerable):
    """There are too few label groups, and too little feedback, to train a matcher."""


class SignalNeeded(RequestUnanswerable):
    """It lacks what the matcher compares."""


class TargetUnknown(RequestUnanswerable):
    """The matcher has no thresholds for this target."""


class FilterInvalid(PricematchError):
    """A filter of postings cannot be read; says where, and what was expected there."""


class FieldNotDeclared(PricematchError):
    """A filter by a field that is not declared would have to look into more postings than it may."""


class FieldNotFound(PricematchError):
    """No field of this name is declared."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no field {name!r} is declared")


class ArtefactError(PricematchError):
    """An exported model is missing, damaged, or does not fit the others."""


class RuntimeMissing(ArtefactError):
    """An exported model is whole, but what could run it is not installed."""


class ArtefactExists(PricematchError):
    """Writing would overwrite a version or an output that exists."""


class ModelOutputError(PricematchError):
    """A model answered with something that is no embedding (wrong shape, NaN, infinite, zero)."""


class NotReady(PricematchError):
    """The service cannot answer yet, or no longer."""


class StoreError(PricematchError):
    """Something about what is kept on disk."""


class StoreUnavailable(StoreError):
    """The store cannot be read or written now: a read-only file system, an I/O error, a lock that is held too long."""


class StoreFull(StoreError):
    """The store has no room for more."""


class StoreDamaged(StoreError):
    """The store is not whole, or is no store of ours; says what to do."""


class RowDamaged(StoreDamaged):
    """A posting, verdict, job or product is not as it was stored; the others are answered. Names it, and no folder."""


class StoreNewer(StoreError):
    """The store was written by a newer pricematch than this one."""


class StoreInUse(StoreError):
    """Another process serves this store."""


class ConditionFailed(PricematchError):
    """A stored posting is not as the request says it must be."""


class ProductsChanged(PricematchError):
    """Another process or thread has written products since they were read; read them anew."""


class HistoryLost(PricematchError):
    """The changes since a version are too long ago to be listed one by one.

    Attributes:
        start_at: the version from which on they are known to whoever has read everything after it was given.
    """

    def __init__(self, message: str, start_at: int) -> None:
        super().__init__(message)
        self.start_at = start_at


class VersionUnknown(PricematchError):
    """A version of the catalogue is yet to come, or is one of another store.

    Attributes:
        latest: the version there is.
    """

    def __init__(self, got: int, latest: int) -> None:
        self.latest = latest
        super().__init__(f"expected a version of the catalogue from 0 to {latest}, got {got}")


class OutgoingError(PricematchError):
    """Another host gave no answer that can be used: none in time, too large, or in a form that was not asked for."""


class AddressRefused(OutgoingError):
    """Another host is not to be asked: it is none that may be, or at an address that is not public."""


class Overloaded(PricematchError):
    """More requests wait than may; one that is turned away may come again soon."""


class DeadlineExceeded(PricematchError):
    """Something took longer than it may."""


class ClientGone(PricematchError):
    """Nobody waits for the answer any more."""


class Unauthenticated(PricematchError):
    """A request has no key, or one that is not known."""


class Forbidden(PricematchError):
    """The scope of a request's key does not cover what it asks."""


class RateExceeded(PricematchError):
    """More requests were made with one key than may be.

    Attributes:
        retry_after: seconds after which the next one may be made.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class TrainingInterrupted(PricematchError):
    """The user interrupted a training; the same command resumes it."""
