"""`pricematch key`."""

from pathlib import Path

from pricematch.api.keys import KEY_PATTERN, read_keys
from tests.support.cli import Run


def test_a_key_is_printed_once_and_its_line_is_valid(run: Run) -> None:
    ran = run("key", "shop", "--scope", "write")
    assert ran.code == 0
    reported, line = ran.out.splitlines()
    key = reported.removeprefix("key (shown only now): ")
    assert KEY_PATTERN.fullmatch(key)
    [kept] = read_keys(line.removeprefix("line: "), "x")
    assert (kept.name, kept.scope) == ("shop", "write")
    assert key not in line


def test_lines_are_added_to_a_file(run: Run, tmp_path: Path) -> None:
    for name in ("one", "two"):
        ran = run("key", name, "--scope", "read", "--file", str(tmp_path / "keys"))
        assert ran.code == 0
        assert str(tmp_path / "keys") in ran.out
    assert [key.name for key in read_keys((tmp_path / "keys").read_text(), "x")] == ["one", "two"]


def test_a_scope_or_name_that_is_none_is_refused(run: Run) -> None:
    assert run("key", "shop", "--scope", "root").code == 2
    assert run("key", "shop").code == 2
    ran = run("key", "a b", "--scope", "read")
    assert ran.code == 2
    assert "expected a name of 1 to 40" in ran.err
