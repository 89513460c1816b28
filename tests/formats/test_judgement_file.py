"""Judgements kept on disk between starts."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.errors import SettingsError
from pricematch.formats.judgement_file import JudgementFile, code_digest, judgement_key
from pricematch.pairs.model import Judgements

KEPT = Judgements(np.array([0.0, 0.5, 1.0]), np.array([0.25, 0.5, 0.75]))
POSTINGS = Features.of(["kopi", "teh"], ["0" * 16, None], {"image": np.eye(2, dtype=np.float32)}, [b"1" * 32, None])


def test_what_is_no_file_is_neither_read_nor_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "judgements.npz")
    file = JudgementFile(tmp_path, "key")
    assert file.load(3) is None
    with pytest.raises(SettingsError, match="it is a device or a pipe, not a file"):
        file.save(KEPT)


def test_a_link_that_leads_to_itself_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "judgements.npz").symlink_to(tmp_path / "judgements.npz")
    file = JudgementFile(tmp_path, "key")
    assert file.load(3) is None
    with pytest.raises(SettingsError, match="cannot write"):
        file.save(KEPT)


def test_what_is_kept_is_given_back(tmp_path: Path) -> None:
    JudgementFile(tmp_path / "data", "key").save(KEPT)
    found = JudgementFile(tmp_path / "data", "key").load(3)
    assert found is not None
    np.testing.assert_array_equal(found.first, KEPT.first)
    np.testing.assert_array_equal(found.probabilities, KEPT.probabilities)


def test_those_of_another_key_or_number_of_pairs_are_not(tmp_path: Path) -> None:
    JudgementFile(tmp_path, "key").save(KEPT)
    assert JudgementFile(tmp_path, "another").load(3) is None
    assert JudgementFile(tmp_path, "key").load(2) is None
    JudgementFile(tmp_path, "another").save(KEPT)
    assert JudgementFile(tmp_path, "key").load(3) is None


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY", bytes(100)])
def test_a_damaged_file_counts_as_none(tmp_path: Path, content: bytes) -> None:
    file = JudgementFile(tmp_path, "key")
    assert file.load(3) is None
    (tmp_path / "judgements.npz").write_bytes(content)
    assert file.load(3) is None
    file.save(KEPT)
    whole = (tmp_path / "judgements.npz").read_bytes()
    (tmp_path / "judgements.npz").write_bytes(whole[: len(whole) // 2])
    assert file.load(3) is None


@pytest.mark.parametrize(
    "values", [np.array([0, 2.0, 0]), np.array([0, np.nan, 0]), np.zeros(3, np.float32), np.zeros((3, 1))]
)
def test_what_cannot_be_judgements_counts_as_none(tmp_path: Path, values: np.ndarray) -> None:
    file = JudgementFile(tmp_path, "key")
    file.save(Judgements(KEPT.first, values))
    assert file.load(3) is None


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="file"):
        JudgementFile(tmp_path / "file", "key").save(KEPT)


def test_the_digest_of_code_changes_with_any_file_of_it_and_nothing_else(tmp_path: Path) -> None:
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


def test_the_key_depends_on_everything_that_judgements_depend_on() -> None:
    others = [
        Features.of(["kop", "iteh"], ["0" * 16, None], POSTINGS.embeddings, [b"1" * 32, None]),
        Features.of(["kopi", "teh"], [None, None], POSTINGS.embeddings, [b"1" * 32, None]),
        Features.of(["kopi", "teh"], ["0" * 16, None], POSTINGS.embeddings, [None, b"1" * 32]),
        replace(POSTINGS, embeddings={}),
        replace(POSTINGS, embeddings={"image": -np.eye(2, dtype=np.float32)}),
        replace(POSTINGS, embeddings={"colours": np.eye(2, dtype=np.float32)}),
    ]
    keys = [judgement_key("1", b"manifest", postings) for postings in (POSTINGS, *others)]
    keys += [judgement_key("2", b"manifest", POSTINGS), judgement_key("1", b"another", POSTINGS)]
    assert len(set(keys)) == len(keys)
    assert judgement_key("1", b"manifest", POSTINGS) == keys[0]
