"""The digest of code."""

from pathlib import Path

from pricematch.formats.code_digest import code_digest


def test_digest_changes_with_any_python_file(tmp_path: Path) -> None:
    """With its content, its name or its absence, and with nothing else."""
    (tmp_path / "evidence").mkdir()
    files = [tmp_path / "judge.py", tmp_path / "evidence" / "side.py"]
    for file in files:
        file.write_text("one = 1\n")
    before = code_digest(tmp_path)
    (tmp_path / "evidence" / "side.pyc").write_text("compiled")
    assert code_digest(tmp_path) == before
    found = {before}
    for change in (
        lambda: files[1].write_text("one = 2\n"),
        lambda: files[0].rename(tmp_path / "evidence" / "judge.py"),
        files[1].unlink,
    ):
        change()
        found.add(code_digest(tmp_path))
    assert len(found) == 4
