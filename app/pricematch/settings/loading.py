"""Settings from the environment and from options."""

import os
from typing import Any

from pydantic import SecretStr, ValidationError

from pricematch.errors import SettingsError
from pricematch.settings.fields import Settings
from pricematch.settings.values import DEFAULT_NAMESPACE, check_namespace

_OF_CLIENTS = ("url", "key", "namespace")
"""What clients take of the environment, with the prefix of settings."""


def load_settings(**given: Any) -> Settings:
    """Settings from the environment, overridden by those of `given` that are not None.

    Args:
        given: options by the names of settings; and `namespace`, whose they are to be, None for the default one.

    Raises:
        SettingsError: a value is of the wrong type or out of range, and then every such setting is named; or a folder
            of models is given beside a namespace that has its own.
    """
    namespace = given.pop("namespace", None)
    namespace = DEFAULT_NAMESPACE if namespace is None else namespace
    check_namespace(namespace)
    if namespace != DEFAULT_NAMESPACE and given.get("models") is not None:
        raise SettingsError(
            f"expected --models or --namespace, got both: the namespace {namespace} has models of its own"
        )
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None}).in_namespace(namespace)
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}{_got(fault['loc'], fault['input'])}"
            for fault in error.errors()
        )
        raise SettingsError("; ".join(faults)) from error


def _got(place: tuple[int | str, ...], value: Any) -> str:
    """What came instead, unless it is a secret."""
    field = Settings.model_fields.get(str(place[0])) if place else None
    return "" if field is not None and isinstance(field.default, SecretStr) else f", got {value!r}"


def variable_warnings() -> list[str]:
    """Warnings of environment variables that look like settings and are none."""
    prefix = str(Settings.model_config["env_prefix"])
    names = [name for name in sorted(os.environ) if name.startswith(prefix)]
    known = {*Settings.model_fields, *_OF_CLIENTS}
    return [f"{name} is set, but is no setting" for name in names if name.removeprefix(prefix).lower() not in known]
