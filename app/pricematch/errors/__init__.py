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
├── NamespaceNotFound         there is no namespace of this name
├── NamespacesFull            there are as many namespaces as may be
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

from pricematch.errors.base import (
    SHOWN_PROBLEMS,
    AddressRefused,
    LimitExceeded,
    OutgoingError,
    PricematchError,
    SettingsError,
    TrainingInterrupted,
)
from pricematch.errors.catalogue import (
    BatchNotFound,
    CatalogueError,
    FeedbackNotFound,
    FieldInvalid,
    FieldNotDeclared,
    FieldNotFound,
    FilterInvalid,
    HistoryLost,
    ImportRefused,
    ItemsRefused,
    JobNotFound,
    PostingNotFound,
    ProductGone,
    ProductMerged,
    ProductNotFound,
    ProductsChanged,
    ProductsUnknown,
    RowProblem,
    VersionUnknown,
)
from pricematch.errors.images import (
    ImageCorrupt,
    ImageEmpty,
    ImageError,
    ImageNotFetched,
    ImageTooComplex,
    ImageTooLarge,
    ImageTooSmall,
    ImageTypeUnsupported,
    ImageUnavailable,
)
from pricematch.errors.models import (
    ArtefactError,
    ArtefactExists,
    EncoderNeeded,
    EncoderUnknown,
    LabelsNeeded,
    MatcherNeeded,
    ModelOutputError,
    RequestUnanswerable,
    RuntimeMissing,
    SignalNeeded,
    TargetUnknown,
)
from pricematch.errors.requests import (
    ClientGone,
    ConditionFailed,
    DeadlineExceeded,
    Forbidden,
    KeyReused,
    NamespaceNotFound,
    NamespacesFull,
    NotReady,
    Overloaded,
    RateExceeded,
    RequestRunning,
    Unauthenticated,
)
from pricematch.errors.stored import (
    RowDamaged,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreInUse,
    StoreNewer,
    StoreUnavailable,
)

__all__ = [
    "SHOWN_PROBLEMS",
    "AddressRefused",
    "ArtefactError",
    "ArtefactExists",
    "BatchNotFound",
    "CatalogueError",
    "ClientGone",
    "ConditionFailed",
    "DeadlineExceeded",
    "EncoderNeeded",
    "EncoderUnknown",
    "FeedbackNotFound",
    "FieldInvalid",
    "FieldNotDeclared",
    "FieldNotFound",
    "FilterInvalid",
    "Forbidden",
    "HistoryLost",
    "ImageCorrupt",
    "ImageEmpty",
    "ImageError",
    "ImageNotFetched",
    "ImageTooComplex",
    "ImageTooLarge",
    "ImageTooSmall",
    "ImageTypeUnsupported",
    "ImageUnavailable",
    "ImportRefused",
    "ItemsRefused",
    "JobNotFound",
    "KeyReused",
    "LabelsNeeded",
    "LimitExceeded",
    "MatcherNeeded",
    "ModelOutputError",
    "NamespaceNotFound",
    "NamespacesFull",
    "NotReady",
    "OutgoingError",
    "Overloaded",
    "PostingNotFound",
    "PricematchError",
    "ProductGone",
    "ProductMerged",
    "ProductNotFound",
    "ProductsChanged",
    "ProductsUnknown",
    "RateExceeded",
    "RequestRunning",
    "RequestUnanswerable",
    "RowDamaged",
    "RowProblem",
    "RuntimeMissing",
    "SettingsError",
    "SignalNeeded",
    "StoreDamaged",
    "StoreError",
    "StoreFull",
    "StoreInUse",
    "StoreNewer",
    "StoreUnavailable",
    "TargetUnknown",
    "TrainingInterrupted",
    "Unauthenticated",
    "VersionUnknown",
]
