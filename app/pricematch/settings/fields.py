"""Every setting of the service.

Each can be given as an environment variable: `PRICEMATCH_` and the field's name in capitals
(`PRICEMATCH_MAX_PIXELS=9000000`). The command line's options win over the environment.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pricematch.settings.values import (
    DEFAULT_NAMESPACE,
    KIB,
    MIB,
    CsvDelimiter,
    CsvEncoding,
    EncoderName,
    Proxy,
    Webhook,
    check_namespace,
    names,
    secret,
    webhook_of,
    without_end,
)

NAMESPACES, MODELS = "namespaces", "models"
"""Folder of the other namespaces' stores, below the data folder; and of its models, below the store of each."""


class Settings(BaseSettings):
    """Paths, addresses and limits. Immutable; the unit stands under each field."""

    model_config = SettingsConfigDict(env_prefix="PRICEMATCH_", frozen=True, extra="forbid")

    catalogue: Path = Path("catalogue/catalogue.csv")
    """CSV file of the postings to serve."""
    images: Path = Path("catalogue/images")
    """Folder that holds the images the catalogue names."""
    models: Path = Path("models")
    """Folder of exported models, `<encoder>/<version>/` and `matcher/<version>/`."""
    data: Path = Path("data")
    """Folder the service keeps everything in: postings, images, verdicts, embeddings. Not safe to delete."""
    max_namespaces: int = Field(default=16, ge=1, le=1000)
    """Namespaces that there may be, the default one included; those that are there already are all served."""
    lost_found_days: int = Field(default=30, ge=0, le=36_500)
    """Days that images which no posting shows are kept in the data folder's lost+found, after a start moved them."""
    encoder: EncoderName = "cnn"
    """Which encoder embeds the images: the CNN (256 values), the CAE (2,048), or the autoencoder on top (64)."""
    encoder_version: str | None = Field(default=None, pattern=r"^[0-9]{1,9}$")
    """Version of that encoder, a whole number; the newest if absent."""
    encoders: Annotated[tuple[EncoderName, ...], NoDecode, BeforeValidator(names)] = ()
    """Names of encoders that the service holds besides, with commas between them; requests may ask for theirs."""
    whiten_images: int = Field(default=30, ge=0)
    """Different images of the catalogue from which on the untrained default encoder is whitened on them; 0 is never."""
    matcher: str = Field(default="auto", pattern=r"^(auto|default|none|[0-9]{1,9})$")
    """Version of the matcher that decides; auto takes the newest that was trained, else the default one that needs no
    training, which default always takes; with none similarity by the encoder decides."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the networks; auto and bfloat16 take bfloat16 where the processor has it, float32 elsewhere."""
    follow_seconds: float = Field(default=1.0, gt=0, le=3600)
    """Seconds between looks at the store for what other processes have changed, and for what is due."""
    skip_bad_images: bool = False
    """Start without the postings whose image is missing or does not decode, instead of refusing to start."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """TCP port to listen on; 0 takes a free one."""
    root_path: Annotated[str, BeforeValidator(without_end)] = Field(
        default="", max_length=200, pattern=r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$"
    )
    """Path below which a proxy serves the service, such as /match-api; all addresses in answers begin with it."""
    access_log: bool = True
    """Log a line for every request."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """Lines of JSON, or text for people; auto is text on a terminal and JSON elsewhere."""
    workers: int = Field(default=2, ge=1, le=64)
    """Processes that decode and encode, one a core is best; as many requests are searched and scored at a time."""
    max_in_flight: int = Field(default=64, ge=1, le=1000)
    """Requests that are worked on or wait to be; the next one is answered 429."""
    max_held_bytes: int = Field(default=256 * MIB, ge=KIB)
    """Bytes that bodies, and answers of more than 64 KiB, take together; beyond is 429, unless it is alone."""
    max_waiting_images: int = Field(default=256, ge=1, le=100_000)
    """Images that wait to be encoded; the next one is answered 429."""
    max_cached_feature_bytes: int = Field(default=16 * MIB, ge=0)
    """Bytes of features of images that are kept for requests with the same image; 0 keeps none."""
    max_cached_result_bytes: int = Field(default=16 * MIB, ge=0)
    """Bytes of matches that are kept, until something changes, for requests that ask the same; 0 keeps none."""
    max_cached_thumbnail_bytes: int = Field(default=16 * MIB, ge=0)
    """Bytes of thumbnails that are kept; 0 keeps none."""
    request_seconds: float = Field(default=30.0, gt=0, le=3600)
    """Seconds a request may take once it is read."""
    start_seconds: float = Field(default=600.0, gt=0, le=86400)
    """Seconds that a process that encodes may take to start, or to load a network, before it is ended."""
    batch_seconds: float = Field(default=120.0, gt=0, le=86400)
    """Seconds that it may take for images it encodes together, before it is ended and another takes its place;"""
    image_seconds: float = Field(default=10.0, gt=0, le=3600)
    """and seconds of a processor, however busy it is, that one of them may take to be decoded."""
    max_feed_readers: int = Field(default=64, ge=1, le=100_000)
    """Requests that read the changes, or wait for some; the next one is answered 429."""
    max_wait_seconds: float = Field(default=30.0, ge=0, le=3600)
    """Seconds that a request may wait for changes;"""
    heartbeat_seconds: float = Field(default=15.0, gt=0, le=3600)
    """and those after which a stream of changes that has none sends a comment, so that nobody takes it for dead."""
    drain_seconds: float = Field(default=1.0, ge=0, le=600)
    """Seconds between /readyz turning 503 and the port closing after SIGTERM, for a load balancer to notice."""
    grace_seconds: int = Field(default=20, ge=0, le=600)
    """Seconds that requests in flight may take to finish after the port has closed."""

    api_keys: SecretStr = SecretStr("")
    """Keys as `pricematch key` prints them, NAME SCOPE sha256:HEX, with commas between them; digests, never keys."""
    api_keys_file: Path | None = None
    """File of such lines; read again on SIGHUP."""
    image_url_secret: SecretStr = SecretStr("")
    """Secret that signs `image_url` where keys are asked for, so that `<img>` needs none; drawn at the start if empty.
    Services behind one balancer take the same."""
    image_url_seconds: int = Field(default=3600, ge=60, le=86400)
    """Seconds that a signed `image_url` holds, at least; twice as many at most."""
    trusted_proxies: Annotated[tuple[Proxy, ...], NoDecode, BeforeValidator(names)] = ()
    """Addresses or networks of proxies whose X-Forwarded-For and -Proto hold, with commas between them; none."""
    no_auth: bool = False
    """Ask for no key although others can reach the address."""
    webhooks: Annotated[tuple[Webhook, ...], NoDecode, BeforeValidator(names)] = ()
    """URLs that are told of changes, http or https, with commas between them; of another namespace than the default one
    `NAME=URL`."""
    webhook_secret: Annotated[SecretStr, AfterValidator(secret)] = SecretStr("")
    """What signs that, whsec_ and Base64 of 24 to 64 random bytes; needed where there are webhooks."""
    webhook_private_addresses: bool = False
    """Let webhooks be at addresses that are not public, such as this machine's or its network's."""
    image_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(names)] = ()
    """Names of the hosts that images are fetched from where a request names a URL, with commas between them; none."""
    image_host_private_addresses: bool = False
    """Let them be at addresses that are not public, such as this machine's or its network's."""
    fetch_seconds: float = Field(default=5.0, gt=0, le=60)
    """Seconds that an image may take to be fetched."""
    metrics: Literal["key", "open", "off"] = "key"
    """Who may read /metrics: those with a key of scope read, where there are keys; everybody; nobody."""
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(names)] = ()
    """Origins whose pages may ask from a browser, such as https://shop.example, with commas between them; none."""
    requests_per_second: float = Field(default=100.0, gt=0, le=1e6)
    """Requests a second that each key may make on average; without keys each address but this machine's."""
    requests_at_once: int = Field(default=200, ge=1, le=1_000_000)
    """Requests that it may make in one go, after a pause."""
    refusals_per_second: float = Field(default=1.0, gt=0, le=1e6)
    """Wrong or missing keys a second that are answered 401 for an address; beyond it is 429."""
    refusals_at_once: int = Field(default=20, ge=1, le=1_000_000)
    """Wrong or missing keys that are answered 401 in one go, after a pause."""

    max_connections: int = Field(default=2000, ge=1, le=1_000_000)
    """Open connections; for one more the one that has been idle for longest is closed."""
    max_header_bytes: int = Field(default=64 * KIB, ge=KIB, le=MIB)
    """Bytes of a request's target and headers together; one with more is answered 400, or its connection closed."""
    header_seconds: float = Field(default=10.0, gt=0, le=3600)
    """Seconds from a connection, or the first byte of a further request on it, to the end of the headers."""
    body_seconds: float = Field(default=60.0, gt=0, le=3600)
    """Seconds from the first read of a body to its end,"""
    import_seconds: float = Field(default=3600.0, gt=0, le=86400)
    """and of the body of an import."""
    body_idle_seconds: float = Field(default=10.0, gt=0, le=3600)
    """Seconds between two pieces of a body."""
    answer_idle_seconds: float = Field(default=30.0, gt=0, le=3600)
    """Seconds that a client may take for a piece of 64 KiB of its answer; then its connection is closed."""
    keep_alive_seconds: int = Field(default=5, ge=0, le=3600)
    """Seconds that an idle connection is kept after an answer."""
    max_body_bytes: int = Field(default=32 * MIB, ge=KIB)
    """Bytes of one request body; enforced while reading."""
    max_image_bytes: int = Field(default=20 * MIB, ge=KIB)
    """Bytes of one image file of the catalogue."""
    max_pixels: int = Field(default=25_000_000, ge=1)
    """Pixels (width × height) of one image, read from its header."""
    min_image_side: int = Field(default=8, ge=1)
    """Pixels of an image's shorter side, at least."""
    max_scans: int = Field(default=100, ge=1, le=100_000)
    """Scans of one JPEG, read from its markers: each takes as long as all its pixels, and is a few bytes."""
    max_title_chars: int = Field(default=1000, ge=1, le=100_000)
    """Characters of a title that is matched."""
    max_metadata_bytes: int = Field(default=8 * KIB, ge=2, le=MIB)
    """Bytes of a posting's metadata as JSON without blanks."""
    max_metadata_depth: int = Field(default=4, ge=1, le=100)
    """Objects and lists within each other in a posting's metadata."""
    max_metadata_fields: int = Field(default=64, ge=0, le=10_000)
    """Fields of a posting's metadata, those of all objects in it counted."""
    max_filter_bytes: int = Field(default=4 * KIB, ge=64, le=64 * KIB)
    """Bytes of a filter of postings."""
    max_scanned_postings: int = Field(default=100_000, ge=0)
    """Postings that a filter looks into for a field that is not declared; for more of them it is refused."""
    max_declared_fields: int = Field(default=64, ge=0, le=1000)
    """Fields that are declared; each takes up to 20 bytes of memory a posting, and each of its different texts."""
    max_cluster_postings: int = Field(default=20_000, ge=1)
    """Postings in one /cluster request, and items in one page of its answer."""
    max_cluster_images: int = Field(default=64, ge=1)
    """Uploaded images in one /cluster request."""
    max_cluster_pairs: int = Field(default=20_000_000, ge=1)
    """Pairs within eps in one /cluster request or sweep; each takes up to 50 bytes while neighbours are found."""
    max_match_images: int = Field(default=64, ge=1)
    """Uploaded images in one /match request."""
    max_batch_items: int = Field(default=1000, ge=1, le=100_000)
    """Decisions in one /verdicts:batch request;"""
    max_batch_pairs: int = Field(default=10_000, ge=1, le=1_000_000)
    """or pairs that its selection may mean."""
    max_import_bytes: int = Field(default=1024 * MIB, ge=KIB)
    """Bytes of one /postings/import request: the file of postings and the ZIP file of their images."""
    max_import_images: int = Field(default=100_000, ge=1)
    """Members of a ZIP file that is imported."""
    max_import_unpacked_bytes: int = Field(default=8192 * MIB, ge=KIB)
    """Bytes of all members of a ZIP file that is imported, uncompressed."""
    max_import_ratio: int = Field(default=100, ge=1)
    """How many times its own size a ZIP file of more than 16 MiB may hold."""
    max_imports: int = Field(default=8, ge=1)
    """Imports that wait or run; each keeps its files until it has ended."""
    max_trainings: int = Field(default=4, ge=1)
    """Trainings of a matcher that wait or run; they run one after the other."""
    import_folder: Path | None = None
    """Folder below which imports may read images from the server's disk; absent: none may."""
    max_catalogue_rows: int = Field(default=1_000_000, ge=1)
    """Rows of a catalogue."""
    csv_encoding: CsvEncoding = "auto"
    """Encoding of CSV and NDJSON files; auto takes what the file shows: UTF-8, UTF-16, UTF-32 or cp1252."""
    csv_delimiter: CsvDelimiter = "auto"
    """Delimiter of CSV files; auto takes the one that makes the columns of the header."""
    max_csv_row_bytes: int = Field(default=64 * KIB, ge=256)
    """Bytes of one row of a catalogue."""

    def in_namespace(self, name: str) -> Self:
        """The settings of a namespace: its store and models are in a folder of its own below the data folder.

        Those of the default one are these. Raises SettingsError for a name that none may have.
        """
        check_namespace(name)
        if name == DEFAULT_NAMESPACE:
            return self
        folder = self.data / NAMESPACES / name
        return self.model_copy(update={"data": folder, "models": folder / MODELS})

    def webhooks_of(self, namespace: str) -> tuple[str, ...]:
        """URLs that are told of the changes of a namespace, and of no other's."""
        return tuple(url for name, url in map(webhook_of, self.webhooks) if name == namespace)
