"""Serving exported encoders, and refusing what is none (rows 28 to 32 of the table of faults)."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pricematch.encoding.encoders import resolve_precision
from pricematch.errors import ArtefactError, ModelOutputError
from pricematch.formats.manifest import GOLDEN, Artefact, TensorDescription, digests, verify, write
from tests.support.networks import EMBEDDING, LATENTS, TinyArtefacts

if TYPE_CHECKING:
    from pricematch.encoding.saved_model import SavedModelEncoder

pytestmark = pytest.mark.tensorflow

ROUNDING = 1e-5
"""How much float32 embeddings of one image may differ between batches and processors."""
PIXELS = np.random.default_rng(0).integers(0, 256, (70, 16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def encoder(tiny_artefacts: TinyArtefacts) -> "SavedModelEncoder":
    """Both networks in a row."""
    from pricematch.encoding.saved_model import SavedModelEncoder

    return SavedModelEncoder(tiny_artefacts.chain())


@pytest.fixture
def copied(tmp_path: Path, tiny_artefacts: TinyArtefacts) -> Path:
    """A CAE of one's own, to be damaged."""
    return Path(shutil.copytree(tiny_artefacts.models / "cae" / "1", tmp_path / "cae" / "1"))


def resealed(path: Path, **changes: Any) -> Artefact:
    """The version with a manifest that fits its files, whatever they are now."""
    write(path, verify_anyway(path).model_copy(update={"files": dict(digests(path)), **changes}))
    return verify(path)


def verify_anyway(path: Path) -> Any:
    from pricematch.formats.manifest import MANIFEST, Manifest

    return Manifest.model_validate_json((path / MANIFEST).read_bytes())


def refusal(artefact: Artefact, precision: str = "float32") -> str:
    from pricematch.encoding.saved_model import SavedModel

    with pytest.raises(ArtefactError) as caught:
        SavedModel(artefact, precision)
    assert str(artefact.path) in str(caught.value)
    return str(caught.value)


# --- serving -----------------------------------------------------------------------------------------------------


def test_embeddings_are_unit_vectors_whatever_the_batch(encoder: "SavedModelEncoder") -> None:
    """An image's embedding is the same alone and in a batch, but for rounding, and another's is another."""
    together = encoder.encode(PIXELS)
    assert together.shape == (70, EMBEDDING)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    alone = np.concatenate([encoder.encode(PIXELS[row : row + 1]) for row in range(len(PIXELS))])
    np.testing.assert_allclose(together, alone, atol=ROUNDING)
    assert nearest(alone) > 1000 * ROUNDING


IN_BFLOAT16 = pytest.mark.skipif(
    resolve_precision("auto") == "float32" and bool(os.environ.get("ONEDNN_MAX_CPU_ISA")),
    reason="ONEDNN_MAX_CPU_ISA keeps oneDNN from the bfloat16 that TensorFlow takes it to have",
)


@pytest.mark.parametrize(
    ("precision", "rounding"), [("float32", ROUNDING), pytest.param("bfloat16", 0.01, marks=IN_BFLOAT16)]
)
def test_an_embedding_does_not_depend_on_its_batch(
    tiny_artefacts: TinyArtefacts, precision: str, rounding: float
) -> None:
    """Whatever the size of a batch and an image's place in it, its embedding is the same but for rounding."""
    from pricematch.encoding.saved_model import SavedModelEncoder

    encoder = SavedModelEncoder(tiny_artefacts.chain(), precision)
    first = encoder.encode(PIXELS[:1])
    for size in (2, 3, 8, 31, 32, 70):
        np.testing.assert_allclose(encoder.encode(PIXELS[:size])[:1], first, atol=rounding, err_msg=str(size))
        np.testing.assert_allclose(encoder.encode(PIXELS[size - 1 :: -1])[-1:], first, atol=rounding)


def nearest(embeddings: np.ndarray[Any, Any]) -> float:
    """The largest difference of any value between the two embeddings [n, d] that are nearest to each other."""
    differences = np.abs(embeddings[:, None] - embeddings[None]).max(axis=2)
    return float(differences[~np.eye(len(embeddings), dtype=bool)].min())


def test_it_computes_what_the_two_models_do_in_a_row(
    encoder: "SavedModelEncoder", tiny_artefacts: TinyArtefacts
) -> None:
    import tensorflow as tf

    cae, dense = (
        tf.saved_model.load(str(artefact.path)).signatures["serving_default"] for artefact in tiny_artefacts.chain()
    )
    raw = dense(latents=cae(pixels=PIXELS[:3])["latents"])["embedding"].numpy()
    expected = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    np.testing.assert_allclose(encoder.encode(PIXELS[:3]), expected, atol=1e-5)


def test_the_cae_alone_embeds_as_well(tiny_artefacts: TinyArtefacts) -> None:
    from pricematch.encoding.saved_model import SavedModelEncoder

    alone = SavedModelEncoder(tiny_artefacts.chain()[:1])
    assert alone.dimension == LATENTS
    assert alone.versions == {"cae": "1"}
    assert alone.encode(PIXELS[:2]).shape == (2, LATENTS)


def test_it_says_its_dimension_and_the_versions_involved(encoder: "SavedModelEncoder") -> None:
    assert encoder.dimension == EMBEDDING
    assert encoder.versions == {"cae": "1", "autoencoder": "1"}


def test_no_images_give_no_rows(encoder: "SavedModelEncoder") -> None:
    assert encoder.encode(PIXELS[:0]).shape == (0, EMBEDDING)


@pytest.mark.parametrize(
    "pixels",
    [
        pytest.param(PIXELS[0], id="rank 3"),
        pytest.param(PIXELS[:1, np.newaxis], id="rank 5"),
        pytest.param(PIXELS[:1].astype(np.float32), id="dtype"),
        pytest.param(PIXELS[:1, :8], id="height"),
        pytest.param(PIXELS[:1, :, :, :1], id="channels"),
    ],
)
def test_inputs_that_would_abort_the_process_or_pass_unnoticed_are_refused(
    encoder: "SavedModelEncoder", pixels: np.ndarray[Any, Any]
) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \[None, 16, 16, 3\], got"):
        encoder.encode(pixels)
    assert encoder.encode(PIXELS[:1]).shape == (1, EMBEDDING)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_an_output_that_is_no_embedding_is_an_error(
    encoder: "SavedModelEncoder", value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "_models", [lambda pixels: np.full((len(pixels), EMBEDDING), value, np.float32)])
    with pytest.raises(ModelOutputError, match="expected"):
        encoder.encode(PIXELS[:2])


def test_a_network_that_fails_is_an_error_of_ours(
    encoder: "SavedModelEncoder", monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    def fail(_: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    monkeypatch.setattr(encoder, "_models", [fail])
    with pytest.raises(ModelOutputError, match=r"the network failed \(ResourceExhaustedError\)"):
        encoder.encode(PIXELS[:1])


def test_reconstructions_are_pixels_of_what_the_decoder_makes(tiny_artefacts: TinyArtefacts) -> None:
    import tensorflow as tf

    from pricematch.encoding.saved_model import reconstruct

    [cae, _] = tiny_artefacts.chain()
    rebuilt = reconstruct(cae, PIXELS[:3])
    loaded = tf.saved_model.load(str(cae.path))
    plain = loaded.signatures["reconstruct"](pixels=PIXELS[:3])["reconstruction"].numpy()
    assert rebuilt.dtype == np.uint8
    np.testing.assert_array_equal(rebuilt, np.rint(255 * plain))


# --- refusing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"shape": (None, 16, 16)}, id="rank"),
        pytest.param({"shape": (None, 32, 32, 3)}, id="size"),
        pytest.param({"shape": (1, 16, 16, 3)}, id="fixed batch"),
        pytest.param({"dtype": "float32"}, id="dtype"),
        pytest.param({"name": "image"}, id="name"),
    ],
)
def test_fault_30_another_input_than_the_manifest_says_is_refused_before_any_call(
    copied: Path, change: dict[str, Any]
) -> None:
    described = verify(copied).manifest.input.model_copy(update=change)
    assert "expected the signature" in refusal(resealed(copied, input=described))


@pytest.mark.parametrize("change", [{"shape": (None, LATENTS + 1)}, {"dtype": "float16"}, {"name": "embedding"}])
def test_fault_30_another_output_than_the_manifest_says_is_refused(copied: Path, change: dict[str, Any]) -> None:
    described = verify(copied).manifest.output.model_copy(update=change)
    assert "expected the signature" in refusal(resealed(copied, output=described))


def golden(path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    with np.load(path / GOLDEN) as kept:
        return kept["inputs"], kept["outputs"]


def test_fault_32_golden_vectors_beyond_the_tolerance_are_refused(copied: Path) -> None:
    from pricematch.encoding.saved_model import TOLERANCE, SavedModel

    inputs, outputs = golden(copied)
    for factor, differs in ((1.5, True), (0.5, False)):
        wrong = outputs.copy()
        wrong[2] *= 1 + factor * TOLERANCE
        np.savez(copied / GOLDEN, inputs=inputs, outputs=wrong)
        artefact = resealed(copied)
        if differs:
            assert "its golden vectors differ by 0.0015, expected at most 0.001" in refusal(artefact)
            SavedModel(artefact, "bfloat16")
        else:
            SavedModel(artefact, "float32")


def test_in_bfloat16_the_tolerance_is_that_of_the_manifest(copied: Path) -> None:
    from pricematch.encoding.saved_model import SavedModel

    inputs, outputs = golden(copied)
    np.savez(copied / GOLDEN, inputs=inputs, outputs=outputs * 1.2)
    assert "expected at most 0.05" in refusal(resealed(copied), "bfloat16")
    SavedModel(resealed(copied, bfloat16_tolerance=0.3), "bfloat16")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda i, o: (i[:, :8], o), "its golden inputs cannot be encoded", id="inputs of another size"),
        pytest.param(lambda i, o: (i, o[:2]), "expected outputs", id="too few outputs"),
        pytest.param(lambda i, o: (i, np.full_like(o, np.nan)), "golden vectors differ", id="not a number"),
    ],
)
def test_golden_vectors_that_cannot_be_right_are_refused(
    copied: Path, change: Callable[..., tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]], reason: str
) -> None:
    inputs, outputs = change(*golden(copied))
    np.savez(copied / GOLDEN, inputs=inputs, outputs=outputs)
    assert reason in refusal(resealed(copied))


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04garbage"])
def test_a_golden_file_that_is_none_is_refused(copied: Path, content: bytes) -> None:
    (copied / GOLDEN).write_bytes(content)
    assert GOLDEN in refusal(resealed(copied))


def test_a_golden_file_without_its_arrays_is_refused(copied: Path) -> None:
    np.savez(copied / GOLDEN, other=np.zeros(3))
    assert GOLDEN in refusal(resealed(copied))


@pytest.mark.parametrize(
    "relative", ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
)
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda whole: b"", id="empty"),
        pytest.param(lambda whole: whole[: len(whole) // 2], id="truncated"),
        pytest.param(lambda whole: b"\xff" * len(whole), id="garbled"),
    ],
)
def test_fault_29_a_model_that_was_damaged_before_it_was_sealed_is_refused(
    copied: Path, relative: str, damage: Callable[[bytes], bytes]
) -> None:
    file = copied / relative
    file.write_bytes(damage(file.read_bytes()))
    assert len(refusal(resealed(copied)).splitlines()) == 1


def test_a_model_without_the_signature_is_refused(copied: Path, tiny_artefacts: TinyArtefacts) -> None:
    from pricematch.encoding.saved_model import reconstruct

    with pytest.raises(ArtefactError, match="autoencoder/1 does not load"):
        reconstruct(tiny_artefacts.chain()[1], PIXELS[:1])


# --- arithmetic --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "precision"),
    [("fpu avx512_bf16 sse", "bfloat16"), ("fpu amx_bf16", "bfloat16"), ("fpu avx512f", "float32"), (None, "float32")],
)
def test_auto_takes_bfloat16_where_the_processor_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str | None, precision: str
) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    cpuinfo = tmp_path / "cpuinfo"
    if flags is not None:
        cpuinfo.write_text(f"processor: 0\nflags: {flags}\n", encoding="ascii")
    assert resolve_precision("auto", cpuinfo) == precision
    assert resolve_precision("float32", cpuinfo) == "float32"
    assert resolve_precision("bfloat16", cpuinfo) == "bfloat16"
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "avx2")
    assert resolve_precision("auto", cpuinfo) == "float32"


@IN_BFLOAT16
def test_bfloat16_gives_nearly_the_same_embeddings(encoder: "SavedModelEncoder", tiny_artefacts: TinyArtefacts) -> None:
    from pricematch.encoding.saved_model import SavedModelEncoder, use_precision

    try:
        half = SavedModelEncoder(tiny_artefacts.chain(), "bfloat16").encode(PIXELS[:8])
    finally:
        use_precision("float32")
    np.testing.assert_allclose(half, encoder.encode(PIXELS[:8]), atol=0.05)


def test_a_tensor_description_is_what_its_name_says() -> None:
    described = TensorDescription(name="x", shape=(None, 2), dtype="uint8")
    assert TensorDescription.model_validate_json(described.model_dump_json()) == described
