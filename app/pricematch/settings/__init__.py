"""Every setting of the service, in one place: see `Settings`."""

from pricematch.settings.fields import MODELS, NAMESPACES, Settings
from pricematch.settings.loading import load_settings, variable_warnings
from pricematch.settings.values import (
    DEFAULT_NAMESPACE,
    ENCODERS,
    KIB,
    MIB,
    NAMESPACE_PATTERN,
    NAMESPACE_RULE,
    SECRET_PREFIX,
    CsvDelimiter,
    CsvEncoding,
    EncoderName,
    check_namespace,
    is_namespace,
)

__all__ = [
    "DEFAULT_NAMESPACE",
    "ENCODERS",
    "KIB",
    "MIB",
    "MODELS",
    "NAMESPACES",
    "NAMESPACE_PATTERN",
    "NAMESPACE_RULE",
    "SECRET_PREFIX",
    "CsvDelimiter",
    "CsvEncoding",
    "EncoderName",
    "Settings",
    "check_namespace",
    "is_namespace",
    "load_settings",
    "variable_warnings",
]
