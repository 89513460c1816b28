"""What the endpoints work with: the matcher once it is there, and how far the service is."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any

from pricematch.api.admission import Admission
from pricematch.api.guard import Guard
from pricematch.api.key_sources import keys_of
from pricematch.api.keys import KeyRing
from pricematch.encoding.ports import Decoder, ImageSource
from pricematch.encoding.slots import Slots
from pricematch.errors import NotReady, StoreUnavailable
from pricematch.matching.matcher import Matcher
from pricematch.serving.intake import Intake
from pricematch.serving.ports import Imports
from pricematch.settings import Settings
from pricematch.store.ports import ActiveModels, JobStore, PostingStore, VerdictStore


@dataclass(frozen=True)
class Kept:
    """What outlives the process.

    Attributes:
        postings, verdicts, jobs, models: stores.
        intake: changes the catalogue.
        imports: takes many postings in; None where nothing does.
        activate: lets a version of a model serve, named as `cnn/2`; None where nobody can.
    """

    postings: PostingStore
    verdicts: VerdictStore
    jobs: JobStore
    models: ActiveModels
    intake: Intake
    imports: Imports | None = None
    activate: Callable[[str], object] | None = None

    def activating(self) -> Callable[[str], object]:
        """What lets a version of a model serve; raises StoreUnavailable where nobody can."""
        if self.activate is None:
            raise StoreUnavailable("the models of this service are fixed")
        return self.activate

    def importing(self) -> Imports:
        """What takes many postings in; raises StoreUnavailable where nothing does."""
        if self.imports is None:
            raise StoreUnavailable("this service takes in one posting at a time")
        return self.imports


@dataclass(frozen=True)
class Ready:
    """A service that can answer, at one version of its catalogue.

    Attributes:
        matcher: finds matches.
        images: where the postings' pictures come from; None where the service was started without.
        decoder: reads them.
        version: the catalogue's.
        kept: what is stored; None where the catalogue is a file that was read.
        manifests: what the models that are loaded say of themselves, as JSON has it.
    """

    matcher: Matcher
    images: ImageSource | None
    decoder: Decoder
    version: int = 0
    kept: Kept | None = None
    manifests: Sequence[Mapping[str, Any]] = ()

    def stored(self) -> Kept:
        """What is stored; raises StoreUnavailable where nothing is."""
        if self.kept is None:
            raise StoreUnavailable("this service answers from a file and stores nothing")
        return self.kept


class Service:
    """The service's mutable facts: whether it can answer, and which keys it knows. Safe to use from several threads.

    Raises:
        SettingsError: the keys that settings name cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = KeyRing(keys_of(settings))
        self._lock = Lock()
        self._ready: Callable[[], Ready] | None = None
        self._trouble: Callable[[], str | None] = _none
        self._reason = "the service is starting"
        self._stopping = False

    def report(self, reason: str) -> None:
        """Say what the start is at."""
        with self._lock:
            self._reason = reason

    def open(self, ready: Callable[[], Ready], trouble: Callable[[], str | None] | None = None) -> None:
        """Answer from now on.

        Args:
            ready: what to answer with when a request comes.
            trouble: why requests cannot be answered for the time being, None if they can.
        """
        with self._lock:
            self._ready, self._trouble, self._reason = ready, trouble or _none, ""

    def drain(self) -> None:
        """Report not ready from now on, whatever happens; requests are still answered."""
        with self._lock:
            self._stopping = True

    @property
    def stopping(self) -> bool:
        """Whether the service is on its way out."""
        with self._lock:
            return self._stopping

    def why_not_ready(self) -> str | None:
        """None if the service is ready, not stopping and not in trouble."""
        with self._lock:
            return "the service is stopping" if self._stopping else self._reason or self._trouble()

    def ready(self) -> Ready:
        """What to answer with; raises NotReady."""
        with self._lock:
            if self._ready is None:
                raise NotReady(self._reason)
            ready = self._ready
        return ready()


def _none() -> None:
    """No trouble."""


@dataclass(frozen=True)
class State:
    """What the application's lifespan hands to its requests.

    Attributes:
        service: the service.
        guard: says who may ask.
        admission: who may work or wait for it.
        threads: do the work.
        keepers: threads that do short work on what is stored.
        slots: how many of them work at the same time.
        alone: lets one at a time do what takes long.
    """

    service: Service
    guard: Guard
    admission: Admission
    threads: ThreadPoolExecutor
    keepers: ThreadPoolExecutor
    slots: Slots
    alone: Slots
