"""Everything a service answers from, read from its store."""

from dataclasses import dataclass

from app.adapters.exact_index import ExactIndex
from app.adapters.sqlite_store import Store
from app.matching.embedded_catalogue import EmbeddedCatalogue
from app.matching.embedded_rows import EmbeddedRows
from app.matching.evidence.carried import carried
from app.matching.ingest import Progress
from app.matching.judge import Judge
from app.matching.live_catalogue import Snapshot
from app.matching.matcher import Matcher
from app.matching.ports import PostingStore
from app.matching.postings import Catalogue, Posting
from app.matching.stored import VerdictChange
from app.matching.stored_pictures import Digests, StoredPictures, digests_of
from app.matching.verdicts import NO_VERDICTS
from app.service.held import Held
from app.service.judging import judge
from app.settings import Settings

_PAGE = 10_000


@dataclass(frozen=True)
class Reading:
    """Reads a whole catalogue, embeds what is not embedded yet, and judges it.

    Attributes:
        settings: where judgements are kept.
        store: what is read.
        pictures: what its pictures are compared by.
        held: the models.
        progress: told what is being done.
    """

    settings: Settings
    store: Store
    pictures: StoredPictures
    held: Held
    progress: Progress

    def __call__(self) -> Snapshot:
        """The catalogue as it is now.

        Raises:
            StoreError, ModelOutputError, SettingsError: says why it cannot be.
        """
        version = self.store.postings.version()  # what changes while it is read is taken in afterwards
        catalogue = read_postings(self.store.postings)
        digests = digests_of(posting.image for posting in catalogue)
        embedded = {
            key: EmbeddedCatalogue(
                EmbeddedRows(catalogue, self.pictures.embeddings(encoder, digests, self.progress)), encoder, ExactIndex
            )
            for key, encoder in self.held.encoders.items()
        }
        judged = {name: embedded[encoder.key] for name, encoder in self.held.judged.items()}
        verdicts = self.store.verdicts.verdicts()
        matcher = Matcher(
            catalogue,
            {name: embedded[encoder.key] for name, encoder in self.held.named.items()},
            self.pictures.hasher,
            self._judge(catalogue, digests, judged),
            judged,
        )
        said = NO_VERDICTS.changed(VerdictChange(it.first, it.second, it.revision, it.decision) for it in verdicts)
        return Snapshot(version, matcher.with_verdicts(said))

    def _judge(self, catalogue: Catalogue, digests: Digests, judged: dict[str, EmbeddedCatalogue]) -> Judge | None:
        loaded = self.held.matcher
        if loaded is None:
            return None
        hashed = "hash" in loaded.model.signals
        hashes = self.pictures.hashes(digests, self.progress) if hashed else [None] * len(digests)
        postings = carried(
            [posting.title for posting in catalogue],
            [posting.image_phash or computed for posting, computed in zip(catalogue, hashes, strict=True)],
            {name: one.embeddings for name, one in judged.items()},
            digests,
        )
        return judge(self.settings.data, catalogue, postings, loaded, self.progress)


def read_postings(store: PostingStore) -> Catalogue:
    """All postings, in the order of their ids."""
    postings: list[Posting] = []
    after = ""
    while page := store.page(after, _PAGE):
        postings.extend(stored.posting for stored in page)
        after = page[-1].posting.posting_id
    return Catalogue(postings)
