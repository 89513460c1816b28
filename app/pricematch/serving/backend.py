"""What a service that is ready works with."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pricematch.catalogue.image_features import ImageFeatures, Wanted
from pricematch.errors import ImageError, StoreUnavailable
from pricematch.serving.intake import Intake
from pricematch.serving.live_catalogue import Snapshot
from pricematch.serving.uploads import Uploads
from pricematch.store.ports import ActiveModels, FeedbackStore, JobStore, PostingStore


class Encode(Protocol):
    """Gives images their features."""

    def __call__(self, images: Sequence[bytes], wanted: Wanted) -> Awaitable[Sequence[ImageFeatures | ImageError]]:
        """The wanted features of each image, or why it cannot be used.

        Raises:
            Overloaded: too many images wait.
            NotReady: no image can be encoded now.
            ModelOutputError: an encoder gave something that is no embedding.
        """
        ...


@dataclass(frozen=True)
class Backend:
    """Snapshots, stores and encoders of a service that is ready. Safe to use from several threads.

    Attributes:
        encode: gives the images of requests their features.
        media_type: the media type of an image by its content; raises ImageError.
        intake: changes the catalogue, whose snapshots it holds.
        postings, verdicts, jobs, models: stores.
        manifests: of the models that answer, as JSON has them.
        uploads: takes files of postings; None where nothing does.
        activate: lets a version of a model serve, named as `cnn/2`; None where nobody can.
        trouble: why images cannot be encoded for the time being; None if they can.
        process_ids: of the worker processes that run.
    """

    encode: Encode
    media_type: Callable[[bytes], str]
    intake: Intake
    postings: PostingStore
    verdicts: FeedbackStore
    jobs: JobStore
    models: ActiveModels
    manifests: Callable[[], Sequence[Mapping[str, Any]]] = tuple
    uploads: Uploads | None = None
    activate: Callable[[str], object] | None = None
    trouble: Callable[[], str | None] = lambda: None
    process_ids: Callable[[], Sequence[int]] = tuple

    @property
    def snapshot(self) -> Snapshot:
        """The newest one."""
        return self.intake.live.current

    def activating(self) -> Callable[[str], object]:
        """What lets a version of a model serve; raises StoreUnavailable where nobody can."""
        if self.activate is None:
            raise StoreUnavailable("the models of this service are fixed")
        return self.activate

    def uploading(self) -> Uploads:
        """What takes files of postings; raises StoreUnavailable where nothing does."""
        if self.uploads is None:
            raise StoreUnavailable("this service takes in one posting at a time")
        return self.uploads
