"""The default matcher made anew from catalogues of shops, without TensorFlow."""

from pathlib import Path

import numpy as np
import pytest

from pricematch.errors import CatalogueError, SettingsError
from pricematch.formats.default_matcher import read_default
from pricematch.progress import silent
from pricematch.sample.catalogue import write_sample
from pricematch.settings import Settings
from pricematch.training.teach_default import ShopFolder, shop_features, teach_default, teaching_shops

pytestmark = pytest.mark.slow
POSTINGS = 36


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[ShopFolder]:
    """Two drawn shops, the titles of the first teach."""
    found = []
    for seed in (1, 2):
        place = tmp_path_factory.mktemp("shop")
        write_sample(place, POSTINGS, seed, lambda _done, _total: None)
        found.append(ShopFolder(f"drawn {seed}", "Apache-2.0", place / "catalogue.csv", titles=seed == 1))
    return found


def test_a_default_matcher_is_made_and_told_where_it_is_from(folders: list[ShopFolder], tmp_path: Path) -> None:
    """What is written opens, says who taught it and how the other does in each, and nothing of where they were."""
    output = tmp_path / "made.json"
    made = teach_default(Settings(), folders, output, 0, silent)
    assert read_default(output) == made
    assert [(it.name, it.licence, it.postings, it.titles) for it in made.taught_by] == [
        ("drawn 1", "Apache-2.0", POSTINGS, True),
        ("drawn 2", "Apache-2.0", POSTINGS, False),
    ]
    assert made.evidence["scaled"] + made.evidence["firm"] > 0.5
    assert all(0 < it.held_out["f1"] <= 1 for it in made.taught_by)
    assert str(folders[0].catalogue.parent) not in output.read_text(encoding="utf-8")


def test_views_hold_what_is_to_teach(folders: list[ShopFolder]) -> None:
    """Images and hashes of both shops, hashes alone, and titles of the shop whose titles teach."""
    one, other = teaching_shops([shop_features(Settings(), folder, silent) for folder in folders])
    assert (len(one.views), len(other.views)) == (5, 2)
    told = [(any(it.titles), bool(it.hashes.known.any()), bool(it.embeddings["image"].any())) for it in one.views]
    hashes, all_three = (False, True, False), (True, True, True)
    expected = [(False, True, True), hashes, (True, True, False), all_three, (True, False, False)]
    assert told == expected
    assert np.allclose(np.linalg.norm(other.views[0].embeddings["image"], axis=1), 1, atol=1e-5)


def test_one_shop_is_too_few(folders: list[ShopFolder], tmp_path: Path) -> None:
    """Of one shop nothing could be told apart from that shop."""
    with pytest.raises(SettingsError, match="at least two shops"):
        teach_default(Settings(), folders[:1], tmp_path / "made.json", 0, silent)


def test_a_shop_whose_image_is_missing_is_refused(tmp_path: Path) -> None:
    """The file is named, and the row."""
    (tmp_path / "images").mkdir()
    (tmp_path / "catalogue.csv").write_text("posting_id,image,label_group\na,a.jpg,1\n", encoding="utf-8")
    with pytest.raises(CatalogueError, match=r"catalogue\.csv(.|\n)*row 2"):
        shop_features(Settings(), ShopFolder("bare", "MIT", tmp_path / "catalogue.csv", titles=False), silent)
