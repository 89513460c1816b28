"""Exported encoders in OpenVINO, and refusing what is none (rows 28 to 32 of the table of faults)."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricematch.encoding import encoders, exported_encoder, openvino_network
from pricematch.encoding.encoders import resolve_precision
from pricematch.encoding.exported_encoder import TOLERANCE, ExportedEncoder
from pricematch.encoding.ports import Runtime
from pricematch.encoding.versions import DECODING
from pricematch.errors import ArtefactError, ModelOutputError, RuntimeMissing
from pricematch.formats.exports import write_manifest
from pricematch.formats.manifest import GOLDEN, MANIFEST, Artefact, Manifest, digests, find_chain, verify
from pricematch.settings import Settings
from tests.support.networks import EMBEDDING, LATENTS

ROUNDING = 1e-5
"""How much float32 embeddings of one image may differ between runtimes and processors."""
PIXELS = np.random.default_rng(0).integers(0, 256, (21, 16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def chain(earlier_models: Path) -> list[Artefact]:
    """The CAE and the autoencoder that an earlier version wrote."""
    return find_chain(earlier_models, "autoencoder")


@pytest.fixture(scope="module")
def encoder(chain: list[Artefact]) -> ExportedEncoder:
    """Both networks in a row."""
    return ExportedEncoder(chain)


@pytest.fixture
def copied(tmp_path: Path, earlier_models: Path) -> Path:
    """A CAE of one's own, to be damaged."""
    return Path(shutil.copytree(earlier_models / "cae" / "1", tmp_path / "cae" / "1"))


@pytest.fixture
def _without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where TensorFlow is not installed."""
    monkeypatch.setattr(exported_encoder, "find_spec", lambda name: None)


def resealed(path: Path, **changes: Any) -> Artefact:
    """The version with a manifest that fits its files, whatever they are now."""
    manifest = Manifest.model_validate_json((path / MANIFEST).read_bytes())
    write_manifest(path, manifest.model_copy(update={"files": dict(digests(path)), **changes}))
    return verify(path)


def refusal(artefact: Artefact) -> str:
    with pytest.raises(ArtefactError) as caught:
        ExportedEncoder([artefact])
    assert str(artefact.path) in str(caught.value)
    return str(caught.value)


# --- encoding ----------------------------------------------------------------------------------------------------


def test_embeddings_are_those_of_the_exporting_network(encoder: ExportedEncoder, chain: list[Artefact]) -> None:
    """The golden inputs of the CAE give what TensorFlow gave for them when it exported both networks."""
    with np.load(chain[0].path / GOLDEN) as cae, np.load(chain[1].path / GOLDEN) as dense:
        expected = dense["outputs"] / np.linalg.norm(dense["outputs"], axis=1, keepdims=True)
        np.testing.assert_allclose(cae["outputs"], dense["inputs"], atol=ROUNDING)
        np.testing.assert_allclose(encoder.encode(cae["inputs"]), expected, atol=ROUNDING)


@pytest.mark.parametrize("threads", [1, 3])
def test_an_embedding_does_not_depend_on_its_batch(chain: list[Artefact], threads: int) -> None:
    """Whatever the size of a batch and an image's place in it, its embedding is the same, to the bit."""
    encoder = ExportedEncoder(chain, threads=threads)
    alone = np.concatenate([encoder.encode(PIXELS[row : row + 1]) for row in range(len(PIXELS))])
    for size in (2, 7, 8, 9, 16, 21):
        np.testing.assert_array_equal(encoder.encode(PIXELS[:size]), alone[:size], err_msg=str(size))
        np.testing.assert_array_equal(encoder.encode(PIXELS[size - 1 :: -1]), alone[size - 1 :: -1])


def test_embeddings_are_unit_vectors(encoder: ExportedEncoder) -> None:
    embeddings = encoder.encode(PIXELS)
    assert embeddings.shape == (len(PIXELS), EMBEDDING)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    assert len(np.unique(embeddings.round(4), axis=0)) == len(PIXELS)


def test_the_cae_alone_embeds_as_well(chain: list[Artefact]) -> None:
    alone = ExportedEncoder(chain[:1])
    assert alone.dimension == LATENTS
    assert alone.versions == {"cae": "1"}
    assert alone.encode(PIXELS[:2]).shape == (2, LATENTS)


def test_it_says_its_dimension_and_what_runs_it(encoder: ExportedEncoder) -> None:
    assert encoder.dimension == EMBEDDING
    assert encoder.versions == {"cae": "1", "autoencoder": "1"}
    assert list(encoder.runtimes) == ["cae", "autoencoder"]
    for runtime in encoder.runtimes.values():
        assert runtime.name.startswith("OpenVINO 20")
        assert (runtime.precision, runtime.reason) == ("float32", None)


def test_no_images_give_no_rows(encoder: ExportedEncoder) -> None:
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
def test_inputs_of_another_signature_are_refused(encoder: ExportedEncoder, pixels: np.ndarray[Any, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \[None, 16, 16, 3\], got"):
        encoder.encode(pixels)
    assert encoder.encode(PIXELS[:1]).shape == (1, EMBEDDING)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_an_output_that_is_no_embedding_is_an_error(
    encoder: ExportedEncoder, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "_networks", [lambda pixels: np.full((len(pixels), EMBEDDING), value, np.float32)])
    with pytest.raises(ModelOutputError, match="expected"):
        encoder.encode(PIXELS[:2])


# --- refusing ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_without_tensorflow")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"shape": (1, 16, 16, 3)}, id="fixed batch"),
        pytest.param({"shape": (None, None, 16, 3)}, id="free height"),
        pytest.param({"name": "image"}, id="name"),
    ],
)
def test_fault_30_another_input_than_the_manifest_says_is_refused(copied: Path, change: dict[str, Any]) -> None:
    described = verify(copied).manifest.input.model_copy(update=change)
    if change.get("shape", (None,))[0] == 1:
        inputs, outputs = golden(copied)
        np.savez(copied / GOLDEN, inputs=inputs[:1], outputs=outputs[:1])
    assert "expected the signature" in refusal(resealed(copied, input=described))


@pytest.mark.usefixtures("_without_tensorflow")
@pytest.mark.parametrize("change", [{"shape": (None, 16, 16)}, {"shape": (None, 32, 32, 3)}, {"dtype": "float32"}])
def test_fault_30_golden_inputs_of_another_signature_are_refused(copied: Path, change: dict[str, Any]) -> None:
    described = verify(copied).manifest.input.model_copy(update=change)
    assert "its golden inputs cannot be encoded" in refusal(resealed(copied, input=described))


@pytest.mark.usefixtures("_without_tensorflow")
@pytest.mark.parametrize("change", [{"shape": (None, LATENTS + 1)}, {"dtype": "float16"}, {"name": "embedding"}])
def test_fault_30_another_output_than_the_manifest_says_is_refused(copied: Path, change: dict[str, Any]) -> None:
    described = verify(copied).manifest.output.model_copy(update=change)
    assert "expected the signature" in refusal(resealed(copied, output=described))


def golden(path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    with np.load(path / GOLDEN) as kept:
        return kept["inputs"], kept["outputs"]


@pytest.mark.usefixtures("_without_tensorflow")
def test_fault_32_golden_vectors_beyond_the_tolerance_are_refused(copied: Path) -> None:
    inputs, outputs = golden(copied)
    for factor, differs in ((1.5, True), (0.5, False)):
        wrong = outputs.copy()
        wrong[2] *= 1 + factor * TOLERANCE
        np.savez(copied / GOLDEN, inputs=inputs, outputs=wrong)
        artefact = resealed(copied)
        if differs:
            assert "its golden vectors differ by 0.0015, expected at most 0.001" in refusal(artefact)
        else:
            ExportedEncoder([artefact])


@pytest.mark.usefixtures("_without_tensorflow")
@pytest.mark.parametrize("tolerance", [0.3, 0.1])
def test_in_bfloat16_the_tolerance_is_that_of_the_manifest(
    copied: Path, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The golden outputs are a fifth too large, which one of two manifests allows."""
    inputs, outputs = golden(copied)
    np.savez(copied / GOLDEN, inputs=inputs, outputs=outputs * 1.2)
    runtime = Runtime("OpenVINO", "bfloat16")
    monkeypatch.setattr("pricematch.encoding.openvino_network.OpenVinoNetwork.runtime", runtime)
    artefact = resealed(copied, bfloat16_tolerance=tolerance)
    if tolerance == 0.1:
        assert "expected at most 0.1" in refusal(artefact)
    else:
        ExportedEncoder([artefact])


@pytest.mark.usefixtures("_without_tensorflow")
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


@pytest.mark.usefixtures("_without_tensorflow")
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


@pytest.mark.usefixtures("_without_tensorflow")
def test_what_openvino_refuses_needs_tensorflow(earlier_models: Path) -> None:
    """OpenVINO does not find the weights of large nested networks that earlier versions wrote."""
    with pytest.raises(RuntimeMissing) as caught:
        ExportedEncoder([verify(earlier_models / "cnn" / "1")])
    assert "does not load in OpenVINO" in str(caught.value)
    assert "TensorFlow may run it: pip install 'pricematch[train]'; or" in str(caught.value)
    assert f"train encoder --recipe pretrained --models {earlier_models}` writes one" in str(caught.value)


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
    assert resolve_precision("bfloat16", cpuinfo) == precision
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "avx2")
    assert {resolve_precision(wanted, cpuinfo) for wanted in ("auto", "bfloat16")} == {"float32"}


@pytest.mark.skipif(resolve_precision("auto") == "float32", reason="this processor has no bfloat16")
def test_bfloat16_gives_nearly_the_same_embeddings(encoder: ExportedEncoder, chain: list[Artefact]) -> None:
    half = ExportedEncoder(chain, "bfloat16")
    assert {runtime.precision for runtime in half.runtimes.values()} == {"bfloat16"}
    np.testing.assert_allclose(half.encode(PIXELS), encoder.encode(PIXELS), atol=0.05)


@pytest.mark.parametrize(
    ("precision", "arithmetic"), [("float32", "float32-frozen"), ("bfloat16", "bfloat16-openvino")]
)
def test_embeddings_in_float32_keep_the_key_of_earlier_versions(
    earlier_models: Path, chain: list[Artefact], precision: str, arithmetic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those in bfloat16, which differ from one runtime to the other, are computed again."""
    monkeypatch.setattr(encoders, "resolve_precision", lambda _: precision)
    key = encoders.encoder_spec(Settings(models=earlier_models), chain).key
    assert key.endswith(f"-{arithmetic}-decoding{DECODING}")


@pytest.mark.usefixtures("_without_tensorflow")
def test_vectors_that_come_out_differently_together_go_alone(
    chain: list[Artefact], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where several rows at once do not give the same to the bit, each is a call of its own."""
    together = []
    run = openvino_network._run

    def noted(queue: Any, rows: int, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        together.append(rows)
        return run(queue, rows, values) + (1e-7 if rows > 1 else 0)

    monkeypatch.setattr(openvino_network, "_run", noted)
    encoder = ExportedEncoder(chain)
    assert max(together) > 1
    together.clear()
    encoder.encode(PIXELS)
    assert set(together) == {1}
