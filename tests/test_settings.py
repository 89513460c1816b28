"""Settings: defaults, the environment, options that win over it, and values that are refused."""

import ast
import inspect
import re
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import ValidationError

from pricematch.errors import SettingsError
from pricematch.settings import Settings, load_settings, variable_warnings


def test_the_environment_sets_what_no_option_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRICEMATCH_PORT", "9000")
    monkeypatch.setenv("PRICEMATCH_MAX_PIXELS", "9000000")
    monkeypatch.setenv("PRICEMATCH_SKIP_BAD_IMAGES", "true")
    monkeypatch.setenv("PRICEMATCH_CATALOGUE", "/srv/catalogue.csv")
    settings = load_settings()
    assert (settings.port, settings.max_pixels, settings.skip_bad_images) == (9000, 9_000_000, True)
    assert settings.catalogue == Path("/srv/catalogue.csv")


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRICEMATCH_PORT", "9000")
    monkeypatch.setenv("PRICEMATCH_HOST", "192.0.2.1")
    settings = load_settings(port=0, host=None)
    assert (settings.port, settings.host) == (0, "192.0.2.1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 65536),
        ("port", -1),
        ("workers", 0),
        ("encoder", "resnet"),
        ("encoder_version", "1.0"),
        ("matcher", "newest"),
        ("matcher", "-1"),
        ("max_title_chars", 0),
        ("encoder_version", "../1"),
        ("precision", "int8"),
        ("max_pixels", 0),
        ("min_image_side", 0),
        ("max_body_bytes", 0),
        ("max_csv_row_bytes", 1),
        ("drain_seconds", -1),
        ("drain_seconds", float("nan")),
        ("grace_seconds", 1e9),
        ("skip_bad_images", "perhaps"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=rf"^{name}: .*, got {value!r}$"):
        load_settings(**{name: value})


def test_every_wrong_setting_is_named_also_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRICEMATCH_WORKERS", "many")
    with pytest.raises(SettingsError) as caught:
        load_settings(port=70_000)
    assert "port: " in str(caught.value)
    assert "workers: " in str(caught.value)
    assert "got 'many'" in str(caught.value)


def test_encoders_are_named_with_commas_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().encoders == ()
    monkeypatch.setenv("PRICEMATCH_ENCODERS", "cae, autoencoder,cae,")
    assert load_settings().encoders == ("cae", "autoencoder")
    assert load_settings(encoders="cae").encoders == ("cae",)
    with pytest.raises(SettingsError, match=r"encoders\.1: .*got 'resnet'"):
        load_settings(encoders="cae,resnet")


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(SettingsError, match="prot: Extra inputs are not permitted"):
        load_settings(prot=80)


def test_settings_cannot_be_changed() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]  # that it is refused is the point


def test_every_setting_is_described() -> None:
    """A text stands under each field."""
    [body] = ast.parse(inspect.getsource(Settings)).body
    assert isinstance(body, ast.ClassDef)
    described = [
        ast.unparse(field.target)
        for field, below in pairwise(body.body)
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
    ]
    assert described == list(Settings.model_fields)


def test_variables_that_are_no_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Misspelt variables are named; others, and those of clients, are nobody's business."""
    monkeypatch.setenv("PRICEMATCH_URL", "http://shop")
    monkeypatch.setenv("PRICEMATCH_KEY", "pm_")
    monkeypatch.setenv("PRICEMATCH_MAX_PIXELS", "9")
    monkeypatch.setenv("PRICEMATCH_MAX_PIXELZ", "9")
    monkeypatch.setenv("OTHER_MAX_PIXELZ", "9")
    assert variable_warnings() == ["PRICEMATCH_MAX_PIXELZ is set, but is no setting"]
    load_settings()


def test_trusted_proxies_are_addresses_or_networks() -> None:
    """Proxies are named by address or network; names and `*` are refused: fault F6."""
    assert load_settings(trusted_proxies="10.0.0.1, 172.16.0.0/12,::1").trusted_proxies == (
        "10.0.0.1",
        "172.16.0.0/12",
        "::1",
    )
    assert load_settings().trusted_proxies == ()
    for value in ("proxy", "*", "10.0.0.1/8"):
        with pytest.raises(SettingsError, match=rf"trusted_proxies\.0: .*got '{re.escape(value)}'"):
            load_settings(trusted_proxies=value)
