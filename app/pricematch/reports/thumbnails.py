"""Small pictures of a catalogue for pages."""

from collections.abc import Sequence

from pricematch.encoding.bootstrap import decoder
from pricematch.encoding.ingest import BATCH, thread_pool
from pricematch.errors import ImageError
from pricematch.formats.image_folder import ImageFolder
from pricematch.progress import Progress
from pricematch.reports.page import Pictures, picture
from pricematch.settings import Settings

_ANY_SIDE = 32


def draw_pictures(settings: Settings, names: Sequence[str], images: ImageFolder, progress: Progress) -> Pictures:
    """The pictures with these names, each once, small; and why some cannot be drawn."""
    decode, pictures = decoder(settings, _ANY_SIDE), Pictures({}, {})

    def draw(name: str) -> None:
        try:
            pictures.drawn[name] = picture(decode.upright(images.read(name)), f"picture {name}")
        except ImageError as error:
            pictures.errors[name] = error

    with thread_pool(settings.workers) as pool:
        for done, _ in enumerate(pool.map(draw, names), start=1):
            if done % BATCH == 0 or done == len(names):
                progress("Drawing pictures", done, len(names))
    return pictures
