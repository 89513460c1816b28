"""The models of a service, and that each goes on with what it was trained with."""

import json
from pathlib import Path

import numpy as np
import pytest

from pricematch.catalogue.features import ImageFeatures
from pricematch.encoding.colours import ColourHistogram
from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.encoders import colours_spec
from pricematch.formats.manifest import MANIFEST, Origin, find
from pricematch.matching.queries import Options, Query
from pricematch.settings import Settings
from tests.support.fakes import encoded, scene
from tests.support.matchers import export_matcher
from tests.support.networks import TinyArtefacts
from tests.support.served import served, settings_of, worker_processes


@pytest.fixture
def settings(tmp_path: Path, tiny_artefacts: TinyArtefacts) -> Settings:
    """Over the tiny catalogue, whose `p2` shows a scene, with a matcher of images."""
    models = tmp_path / "models"
    models.mkdir()
    (models / "cae").symlink_to(tiny_artefacts.models / "cae")
    cae = find(models, "cae").manifest
    export_matcher(models, ["image"], Origin(name="cae", version=cae.version, weights_digest=cae.weights_digest))
    settings = settings_of(tmp_path, models=models)
    (settings.images / "p2.png").write_bytes(encoded(scene()))
    return settings


@pytest.mark.tensorflow
@pytest.mark.parametrize("colours", [None, "2"])
def test_a_matcher_keeps_the_colours_it_was_trained_with(settings: Settings, colours: str | None) -> None:
    """A grey copy has no hue for one of today, and other colours for one whose manifest names none: fault C9."""
    file = settings.models / "matcher" / "1" / MANIFEST
    manifest = json.loads(file.read_text(encoding="utf-8"))
    manifest["colours"] = colours  # None: as of before
    file.write_text(json.dumps({name: it for name, it in manifest.items() if it is not None}), encoding="utf-8")
    original, copy = encoded(scene()), encoded(scene().convert("L"))
    with worker_processes(settings) as encoding, served(settings, encoding=encoding) as running:
        matcher, options = running.snapshots.current.matcher, Options(min_probability=0)
        [image] = encoding.encode([copy], matcher.wanted(options, image=True, title=False))
        assert isinstance(image, ImageFeatures)
        [found] = [it for it in matcher.match(Query("", image), options).matches if it.posting_id == "p2"]
    decoder = PillowDecoder(colours_spec("1").side, 10**6)
    one, other = ColourHistogram().encode(np.stack([decoder.decode(original), decoder.decode(copy)]))
    assert found.evidence is not None
    expected = one @ other if colours is None else 1
    assert found.evidence.signals["colours"] == pytest.approx(expected, abs=0.01)
    assert one @ other < 0.5
