"""Fields that several schemas share."""

import time
from math import isfinite
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema

from pricematch.matching.queries import Calibrated
from pricematch.pairs.thresholds import Target


def _target(value: Any) -> Any:
    """A target by its name."""
    return Target.parse(value) if isinstance(value, str) else value


MinProbability = Annotated[
    float,
    Field(allow_inf_nan=False, description="With a matcher: the threshold of the probability, 0…1."),
]
TargetName = Annotated[
    Target,
    BeforeValidator(_target),
    WithJsonSchema({"type": "string", "pattern": r"^(f1|precision:0?\.[0-9]+)$"}),
    Field(
        description="With a matcher: take the threshold it picked for `f1`, or for a precision such as "
        "`precision:0.95`, in a catalogue as large as this one.",
    ),
]
EncoderName = Annotated[
    str, Field(max_length=64, description="The encoder whose similarity is meant; the default one if absent.")
]


def absent(value: object) -> bool:
    """Whether a field is left out of an answer."""
    return value is None


def check_one_threshold(min_probability: float | None, target: Target | None) -> None:
    """Raise ValueError where both are given."""
    if min_probability is not None and target is not None:
        raise ValueError("expected either min_probability or target, got both")


CatalogueVersion = Annotated[
    int, Field(ge=0, description="The catalogue's version that this is from; grows with every change.")
]


PRODUCT_ID_PATTERN = r"^p[1-9][0-9]*$"
ProductOf = Annotated[
    str | None,
    Field(
        pattern=PRODUCT_ID_PATTERN,
        examples=["p17"],
        description="The product that it is of, see `/products`; absent or null without a matcher, and "
        "while products could not be kept.",
    ),
]


MetadataIn = Annotated[dict[str, Any], Field(examples=[{"seller": "shop-7", "price": 12.5, "brand": {"name": "Acme"}}])]


def took_ms(started: float) -> float:
    """Milliseconds since a moment of `time.perf_counter`."""
    return round((time.perf_counter() - started) * 1e3, 3)


def finite(threshold: float) -> float | None:
    """A threshold as JSON holds it."""
    return threshold if isfinite(threshold) else None


ProbabilitiesField: TypeAlias = Annotated[
    Calibrated | None,
    Field(
        description="`calibrated` once label groups or twenty verdicts of this catalogue have taught them; `estimated` "
        "by the default matcher before; null where similarity decides."
    ),
]
