"""`pricematch train default`."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pricematch.cli.train import cli
from pricematch.errors import SettingsError


@pytest.mark.parametrize("text", ["catalogue.csv", "Hats={}", ":MIT={}", "Hats:={}", "Hats:MIT={}.absent"])
def test_a_shop_without_name_licence_or_file_is_refused(text: str, tmp_path: Path) -> None:
    """The message says what was expected and what came."""
    file = tmp_path / "catalogue.csv"
    file.write_text("posting_id,image\n", encoding="utf-8")
    given = text.format(file)
    result = CliRunner().invoke(cli, ["default", given, "--output", str(tmp_path / "made.json")])
    assert isinstance(result.exception, SettingsError)
    assert "expected NAME:LICENCE=FILE" in str(result.exception)
    assert given in str(result.exception)


def test_titles_of_no_shop_are_refused(tmp_path: Path) -> None:
    """A misspelled name would teach nothing, and nobody would see it."""
    result = CliRunner().invoke(cli, ["default", "--titles", "Hats", "--output", str(tmp_path / "made.json")])
    assert isinstance(result.exception, SettingsError)
    assert "expected names of shops, got Hats" in str(result.exception)
