"""Exported models on disk, found and verified without loading them (rows 29 and 30 of the table of faults)."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pricematch.errors import ArtefactError
from pricematch.formats.exports import write_manifest
from pricematch.formats.manifest import (
    MANIFEST,
    PickedOn,
    TensorDescription,
    TrainedOn,
    WeightsOrigin,
    digest_of_file,
    find,
    find_chain,
    side_of_pixels,
    verify,
    versions,
)
from tests.support.networks import FILES, LATENTS_TENSOR, PIXELS_TENSOR, export, origin


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_versions_are_ordered_as_numbers_and_the_newest_is_found(models: Path) -> None:
    for version in ("10", "9", "1"):
        export(models, "cae", version)
    (models / "cae" / ".training").mkdir()
    (models / "cae" / "draft").mkdir()
    (models / "cae" / "11").write_bytes(b"a file, no version")
    assert versions(models, "cae") == ["1", "9", "10"]
    assert find(models, "cae").label == "cae/10"
    assert find(models, "cae", "9").label == "cae/9"


def test_a_model_without_versions_is_named(models: Path) -> None:
    assert versions(models, "cae") == []
    with pytest.raises(ArtefactError, match="models/cae holds no version of cae; `pricematch train encoder` writes"):
        find(models, "cae")
    (models / "cae").mkdir(parents=True)
    with pytest.raises(ArtefactError, match="holds no version"):
        find(models, "cae")


def test_an_absent_version_is_refused_with_those_there_are(models: Path) -> None:
    for version in ("1", "2"):
        export(models, "cae", version)
    with pytest.raises(ArtefactError, match="expected a version of cae among 1, 2, got 3"):
        find(models, "cae", "3")


def test_what_was_written_is_read_back(models: Path) -> None:
    path = export(models, "cae", "1")
    artefact = verify(path)
    assert artefact.path == path
    assert artefact.manifest.input == PIXELS_TENSOR
    assert artefact.manifest.files == {relative: digest_of_file(path / relative) for relative in FILES}


def refusal(path: Path) -> str:
    with pytest.raises(ArtefactError) as caught:
        verify(path)
    return str(caught.value)


@pytest.mark.parametrize("relative", FILES)
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda whole: whole[:-1], id="truncated"),
        pytest.param(lambda whole: b"", id="empty"),
        pytest.param(lambda whole: bytes([whole[0] ^ 1]) + whole[1:], id="one bit flipped"),
        pytest.param(lambda whole: whole + b"\0", id="longer"),
    ],
)
def test_fault_29_a_damaged_file_is_named(models: Path, relative: str, damage: Callable[[bytes], bytes]) -> None:
    path = export(models, "cae", "1")
    (path / relative).write_bytes(damage(FILES[relative]))
    assert refusal(path).startswith(f"{path / relative} is damaged")


@pytest.mark.parametrize("relative", FILES)
def test_fault_29_a_missing_file_is_named(models: Path, relative: str) -> None:
    path = export(models, "cae", "1")
    (path / relative).unlink()
    assert refusal(path) == f"{path / relative} is missing"


@pytest.mark.parametrize("required", ["saved_model.pb", "golden.npz"])
def test_a_manifest_that_leaves_out_what_is_needed_is_refused(models: Path, required: str) -> None:
    path = export(models, "cae", "1")
    whole = verify(path).manifest
    write_manifest(
        path, whole.model_copy(update={"files": {name: d for name, d in whole.files.items() if name != required}})
    )
    assert f"expected {required} among its files" in refusal(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "is damaged: the file: Invalid JSON", id="empty"),
        pytest.param(b"{", "is damaged: the file: Invalid JSON", id="truncated"),
        pytest.param(b"\xff\xfe", "is damaged: the file: Invalid JSON", id="no text"),
        pytest.param(b"[]", "is damaged: the file: Input should be an object", id="no object"),
        pytest.param(b"{}", "is damaged: name: Field required", id="no fields"),
    ],
)
def test_fault_29_a_damaged_manifest_is_named_with_the_reason(models: Path, content: bytes, reason: str) -> None:
    path = export(models, "cae", "1")
    (path / MANIFEST).write_bytes(content)
    assert f"{path / MANIFEST} {reason}" in refusal(path)


def test_fault_29_a_missing_manifest_is_named(models: Path) -> None:
    path = export(models, "cae", "1")
    (path / MANIFEST).unlink()
    assert refusal(path) == f"{path / MANIFEST} cannot be read (No such file or directory)"


@pytest.mark.parametrize(
    ("field", "value"), [("seed", "many"), ("losses", {"loss": "low"}), ("input", None), ("surprise", 1)]
)
def test_a_field_of_another_type_or_name_is_named(models: Path, field: str, value: object) -> None:
    path = export(models, "cae", "1")
    content = json.loads((path / MANIFEST).read_text(encoding="utf-8")) | {field: value}
    (path / MANIFEST).write_text(json.dumps(content), encoding="utf-8")
    assert f"is damaged: {field}" in refusal(path)


@pytest.mark.parametrize(("name", "version"), [("other", "1"), ("cae", "2")])
def test_a_manifest_of_another_model_or_version_is_refused(models: Path, name: str, version: str) -> None:
    path = export(models, "cae", "1")
    write_manifest(path, verify(path).manifest.model_copy(update={"name": name, "version": version}))
    assert f"expected cae/1, got {name}/{version}" in refusal(path)


@pytest.mark.parametrize("relative", ["../2/saved_model.pb", "variables/../../x", "/etc/passwd"])
def test_a_path_that_leaves_the_version_is_never_opened(models: Path, relative: str) -> None:
    path = export(models, "cae", "1")
    whole = verify(path).manifest
    write_manifest(path, whole.model_copy(update={"files": {relative: "0", **whole.files}}))
    assert f"expected paths inside the version, got {relative!r}" in refusal(path)


# --- two models in a row -----------------------------------------------------------------------------------------


def test_a_chain_ends_with_the_encoder(models: Path) -> None:
    for version in ("1", "2"):
        export(models, "cae", version)
    export(models, "autoencoder", "1", input_encoder=origin(models))
    assert [artefact.label for artefact in find_chain(models, "autoencoder")] == ["cae/1", "autoencoder/1"]
    assert [artefact.label for artefact in find_chain(models, "cae")] == ["cae/2"]
    assert [artefact.label for artefact in find_chain(models, "cae", "1")] == ["cae/1"]


def test_an_encoder_whose_origin_is_gone_is_refused(models: Path) -> None:
    export(models, "cae", "2")
    export(models, "autoencoder", "1", input_encoder=origin(models, "1"))
    with pytest.raises(ArtefactError, match="expected a version of cae among 2, got 1"):
        find_chain(models, "autoencoder")


def test_an_encoder_trained_on_other_weights_is_refused(models: Path) -> None:
    export(models, "cae", "1", weights_digest="other weights")
    export(models, "autoencoder", "1", input_encoder=origin(models))
    with pytest.raises(ArtefactError, match=r"does not fit .*trained on weights weights of c…, got other weight…"):
        find_chain(models, "autoencoder")


@pytest.mark.parametrize(
    "given",
    [
        LATENTS_TENSOR.model_copy(update={"shape": (None, 47)}),
        LATENTS_TENSOR.model_copy(update={"dtype": "float16"}),
        LATENTS_TENSOR.model_copy(update={"name": "features"}),
    ],
)
def test_an_encoder_of_other_inputs_than_the_first_gives_is_refused(models: Path, given: TensorDescription) -> None:
    export(models, "cae", "1", output=given)
    export(models, "autoencoder", "1", input_encoder=origin(models))
    with pytest.raises(ArtefactError, match="does not fit"):
        find_chain(models, "autoencoder")


def test_a_model_that_another_recipe_writes_is_named_with_it(models: Path) -> None:
    with pytest.raises(
        ArtefactError, match="holds no version of cnn; `pricematch train encoder --recipe cnn` writes one"
    ):
        find(models, "cnn")


def test_the_origin_of_weights_is_kept(models: Path) -> None:
    """And the groups they were trained on; both may be unknown."""
    weights = WeightsOrigin(name="imagenet", source="a package", licence=None, digest="d")
    trained_on = TrainedOn(share=0.5, seed=0, groups=("a", "b"))
    kept = verify(export(models, "cnn", "1", weights=weights, trained_on=trained_on)).manifest
    assert (kept.weights, kept.trained_on) == (weights, trained_on)
    path = export(models, "cae", "1")
    described = json.loads((path / MANIFEST).read_bytes())
    del described["weights"], described["trained_on"]
    (path / MANIFEST).write_text(json.dumps(described))
    before = verify(path).manifest
    assert (before.weights, before.trained_on) == (None, None)


def test_a_threshold_is_kept_with_its_origin(models: Path) -> None:
    """The origin is the data it was picked on, and may be unknown."""
    picked_on = PickedOn(postings=4, groups=2, catalogue=9, mean_f1=0.75)
    path = export(models, "cae", "1", threshold=0.5, threshold_picked_on=picked_on)
    kept = verify(path).manifest
    assert (kept.threshold, kept.threshold_picked_on) == (0.5, picked_on)
    described = json.loads((path / MANIFEST).read_bytes())
    del described["threshold"], described["threshold_picked_on"]
    (path / MANIFEST).write_text(json.dumps(described))
    before = verify(path).manifest
    assert (before.threshold, before.threshold_picked_on) == (None, None)


@pytest.mark.parametrize("threshold", ["1.001", "-1.001", "NaN", "1e999"])
def test_a_threshold_that_is_no_cosine_is_refused(models: Path, threshold: str) -> None:
    path = export(models, "cae", "1", threshold=0.5)
    text = (path / MANIFEST).read_text().replace('"threshold": 0.5', f'"threshold": {threshold}')
    (path / MANIFEST).write_text(text)
    with pytest.raises(ArtefactError, match="is damaged: threshold"):
        verify(path)


def test_the_side_of_the_pixels_is_in_the_manifest(models: Path) -> None:
    assert side_of_pixels(verify(export(models, "cae", "1"))) == 16


@pytest.mark.parametrize(
    "described",
    [
        LATENTS_TENSOR,
        PIXELS_TENSOR.model_copy(update={"dtype": "float32"}),
        PIXELS_TENSOR.model_copy(update={"shape": (None, 16, 16)}),
        PIXELS_TENSOR.model_copy(update={"shape": (None, 16, 8, 3)}),
        PIXELS_TENSOR.model_copy(update={"shape": (None, 16, 16, 1)}),
        PIXELS_TENSOR.model_copy(update={"shape": (1, 16, 16, 3)}),
        PIXELS_TENSOR.model_copy(update={"shape": (None, None, None, 3)}),
    ],
)
def test_an_encoder_that_takes_no_square_pixels_is_refused(models: Path, described: TensorDescription) -> None:
    with pytest.raises(ArtefactError, match="expected"):
        side_of_pixels(verify(export(models, "cae", "1", input=described)))
