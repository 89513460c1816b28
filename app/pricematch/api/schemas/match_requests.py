"""Match requests as JSON and addresses have them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pricematch.api.schemas.fields import EncoderName, MinProbability, TargetName, check_one_threshold
from pricematch.api.schemas.filters import ExcludeText, FilterText, NarrowedRequest
from pricematch.api.schemas.images import EncodedImage, EncodedImages, ImageUrls
from pricematch.matching.queries import Options


class MatchQuery(BaseModel):
    """How many matches, and how sure at least."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=10, ge=1, le=50, description="Matches at most.")
    min_probability: Annotated[MinProbability, Field(ge=0, le=1)] | None = None
    target: TargetName | None = None
    min_similarity: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        allow_inf_nan=False,
        description="Leave out matches below this cosine similarity. Absent: with a matcher none, else those "
        "below the encoder's threshold, if one was measured.",
    )
    encoder: EncoderName | None = None
    metadata: bool = Field(default=False, description="Whether matches have the metadata of their postings.")
    filter: FilterText = None
    exclude: ExcludeText = None
    cursor: str = Field(
        default="",
        pattern=r"^([0-9]{1,9})?$",
        description="Where the page begins: a `next_cursor` of the same question.",
    )

    @model_validator(mode="after")
    def _one_threshold(self) -> "MatchQuery":
        check_one_threshold(self.min_probability, self.target)
        return self

    def options(self) -> Options:
        """As the matcher takes them, but for filter and exclusions."""
        first = int(self.cursor or 0)
        return Options(self.limit, self.min_similarity, self.min_probability, self.target, self.encoder, first)

    @property
    def narrowing(self) -> dict[str, str | None]:
        """Filter and exclusions, as they were sent."""
        return {"filter": self.filter, "exclude": self.exclude}


class MatchRequest(NarrowedRequest):
    """A posting's image, its title or both to match, or several images one by one, sent as JSON."""

    title: str = Field(default="", description="Title of a posting.", examples=["Susu UHT coklat 200 ml isi 3"])
    image: EncodedImages | None = None
    image_url: ImageUrls | None = None
    images: list[EncodedImage] = Field(
        default=[], description="Several images that are matched one by one, and nothing beside them."
    )
