"""What a notebook may ask with: thresholds, filters, signals."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from pricematch.catalogue import filters
from pricematch.catalogue.filter_text import read_filter
from pricematch.encoding.catalogue_files import read_to_learn
from pricematch.errors import SettingsError
from pricematch.matching.queries import Options
from pricematch.pairs.thresholds import Target
from pricematch.settings import Settings

Filter: TypeAlias = str | Mapping[str, Any]
"""What must hold of a posting: in the short form such as `seller=acme;price=10..20`, or as JSON has it."""


def query_options(
    settings: Settings, limit: int, min_probability: float | None, target: str | None, condition: Filter | None
) -> Options:
    """The options of a query; raises SettingsError, FilterInvalid."""
    if limit < 1:
        raise SettingsError(f"expected a limit of 1 match or more, got {limit}")
    if min_probability is not None and target is not None:
        raise SettingsError("expected either min_probability or a target, got both")
    if min_probability is not None:
        check_probability(min_probability)
    try:
        wanted = None if target is None else Target.parse(target)
    except ValueError as error:
        raise SettingsError(f"target: {error}") from error
    held = read_condition(settings, condition)
    return Options(limit, min_probability=min_probability, target=wanted, filter=held)


def check_probability(probability: float) -> None:
    """Raise SettingsError for what is no probability."""
    if not 0 <= probability <= 1:
        raise SettingsError(f"expected a probability, 0 to 1, got {probability!r}")


def read_condition(settings: Settings, given: Filter | None) -> filters.Filter | None:
    """A filter as the matcher takes it; raises FilterInvalid."""
    if given is None:
        return None
    return read_filter(given if isinstance(given, str) else dict(given), settings.max_filter_bytes)


def chosen_signals(settings: Settings, given: str | None) -> tuple[str, ...]:
    """The names that are given, or of all signals that the postings have something for."""
    from pricematch.evaluation.load_features import parse_signals, signals_there

    return signals_there(settings, read_to_learn(settings)) if given is None else parse_signals(given)
