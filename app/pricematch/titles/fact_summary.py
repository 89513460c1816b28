"""The agreement of facts in a few numbers a pair, for models that would learn single kinds by heart."""

import numpy as np
from numpy.typing import NDArray

from pricematch.titles.facts import FactAgreement
from pricematch.titles.statements import KINDS

GROUPS = {
    "volume": ("volume",),
    "mass": ("mass",),
    "dimensions": ("length", "extent"),
    "electric": ("power", "voltage", "charge", "storage", "frequency"),
    "count": ("count",),
    "number": ("number",),
    "model": ("model",),
    "tint": ("colour", "flavour"),
    "audience": ("audience",),
    "edition": ("edition", "size"),
    "other": ("time", "layers", "colours"),
}
"""Kinds that are looked at together."""
MEASURED = ("volume", "mass", "dimensions", "electric", "count")
"""Groups whose contradictions weigh most."""
SUMMARY = (
    *(f"{group}_conflict" for group in GROUPS),
    *("facts_shared", "facts_contradicting", "facts_unanswered"),
    *("kinds_agreeing", "kinds_clashing", "measures_agreeing", "measures_clashing"),
)
"""Names of the numbers, in order."""


def summarise(found: FactAgreement) -> NDArray[np.float32]:
    """Float32 [m, `SUMMARY`]; the same for (a, b) and (b, a).

    A kind agrees where the two share a fact of it, and clashes where both state some and share none. The conflict of a
    group is its clashing kinds, and half of those that agree in part, less those that agree entirely. A pack of several
    is half a conflict with a title that states no pack size, which most often means one.
    """
    agreeing, apart = found.shared > 0, found.contradicting > 0
    clashing, partly = apart & ~agreeing, apart & agreeing
    conflict = (clashing + 0.5 * partly - (agreeing & ~apart)).astype(np.float32)
    conflict[:, KINDS.index("count")] += 0.5 * found.packed
    measured = [place for group in MEASURED for place in _places(group)]
    columns = [conflict[:, _places(group)].sum(axis=1) for group in GROUPS]
    columns += [counts.sum(axis=1) for counts in (found.shared, found.contradicting, found.unanswered)]
    columns += [flags.sum(axis=1) for flags in (agreeing, clashing)]
    columns += [flags[:, measured].sum(axis=1) for flags in (agreeing, clashing)]
    return np.column_stack(columns).astype(np.float32)


def _places(group: str) -> list[int]:
    return [KINDS.index(kind) for kind in GROUPS[group]]
