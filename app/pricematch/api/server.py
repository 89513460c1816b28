"""Runs the service: listens at once, answers health from the first moment, and stops gracefully."""

import asyncio
import ctypes
import gc
import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from threadpoolctl import threadpool_limits

from pricematch.api.app import create_app
from pricematch.api.connections import protocol
from pricematch.api.forwarded_clients import ForwardedClients
from pricematch.api.keys import KeyRing, check_exposure, keys_of
from pricematch.api.links import Links
from pricematch.api.schemas.changes import webhook_message
from pricematch.api.telemetry import Metrics
from pricematch.encoding.worker_launch import LaunchedWorker
from pricematch.errors import SettingsError
from pricematch.progress import Progress
from pricematch.serving.namespaces import Namespaces
from pricematch.serving.webhooks import Render, check_webhooks
from pricematch.settings import Settings, variable_warnings

if TYPE_CHECKING:
    from pricematch.api.tracing import Spans

_BACKLOG = 2048
_OTHER_FILES = 512
"""Open files beside connections and images that are sent: of the store, of uploads."""
_log = logging.getLogger("pricematch")
_M_ARENA_MAX = -8
_ARENAS = 4


class _Server(uvicorn.Server):
    """Reports not ready for a while before it stops listening, so that a load balancer looks elsewhere first."""

    def __init__(self, config: uvicorn.Config, namespaces: Namespaces) -> None:
        super().__init__(config)
        self._namespaces = namespaces
        self._draining = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first SIGTERM drains, anything else stops at once."""
        self._namespaces.drain()  # which ends streams of changes: they would be waited for
        if sig == signal.SIGTERM and not self._draining:
            self._draining = True
            timer = threading.Timer(self._namespaces.settings.drain_seconds, super().handle_exit, (sig, frame))
            timer.daemon = True
            timer.start()
        else:
            super().handle_exit(sig, frame)


def serve(
    settings: Settings,
    progress: Progress,
    launched: Sequence[LaunchedWorker] = (),
    listening: Callable[[str], None] | None = None,
) -> None:
    """Serve HTTP until a signal stops it; health answers from the first moment, the rest once the service is open.

    Args:
        settings: of the service.
        progress: called with what is being done.
        launched: processes that encode which were launched already, see `launched_workers`.
        listening: called with the address, such as http://127.0.0.1:8000, once the port is bound.

    Raises:
        PricematchError: the service could not start.
    """
    _share_arenas()
    with _spans() as spans:
        _serve(settings, progress, spans, launched, listening)


def _serve(
    settings: Settings,
    progress: Progress,
    spans: "Spans | None",
    launched: Sequence[LaunchedWorker],
    listening: Callable[[str], None] | None,
) -> None:
    for warning in variable_warnings():
        _log.warning("%s", warning)
    known = keys_of(settings)
    check_exposure(settings, known)
    check_webhooks(settings)
    namespaces, keys = Namespaces(settings), KeyRing(known)
    metrics = Metrics(namespaces)
    _open_files(settings)
    listener = _listen(settings)
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    _log.info("starting at %s, process %d", url, os.getpid())
    if listening is not None:
        listening(url)
    failure: list[BaseException] = []

    def render(namespace: str) -> Render:
        return partial(webhook_message, links=Links(settings.root_path, namespace=namespace))

    @asynccontextmanager
    async def lifetime() -> AsyncIterator[None]:
        """Start while requests are answered; a start that fails stops the server."""

        def end(opening: "asyncio.Task[None]") -> None:
            if opening.cancelled():
                return
            if (error := opening.exception()) is not None:
                failure.append(error)
                server.should_exit = True
                return
            _settle()
            _leave_cores()
            metrics.watch(namespaces.default)
            _log.info("ready at %s (try it at %s%s/docs)", url, url, settings.root_path)

        async with namespaces.opened(progress, metrics, launched=launched, render=render) as opening:
            opening.add_done_callback(end)
            yield
        _log.info("stopped")

    config = uvicorn.Config(
        ForwardedClients(create_app(namespaces, metrics, spans, keys, lifetime), settings.trusted_proxies),
        http=protocol(settings),
        ws="none",
        proxy_headers=False,  # it would believe this machine, or whom the environment names
        timeout_keep_alive=settings.keep_alive_seconds,
        server_header=False,
        timeout_graceful_shutdown=settings.grace_seconds,
        log_config=None,
        access_log=False,  # ours has more, and nothing that a client could forge
    )
    # its "startup complete" means the port, not the service, and its warnings of what clients send are ours already
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    server = _Server(config, namespaces)
    with listener, _keys_read_on_hangup(settings, keys):
        server.run(sockets=[listener])
    if failure:
        raise failure[0]


def _settle() -> None:
    """Let the garbage collector never scan again the objects of the start: that takes a third of a second.

    TensorFlow alone makes half a million objects, which live as long as the process.
    """
    gc.collect()
    gc.freeze()


def _leave_cores() -> None:
    """Let linear algebra compute in one thread from now on.

    Others would wait busily for the next product, on the cores that images are encoded on: with 100,000 postings a
    match took 18 ms instead of 7.
    """
    threadpool_limits(1, user_api="blas")


@contextmanager
def _spans() -> Iterator["Spans | None"]:
    """The spans of requests where the environment names a collector; else None."""
    if not any(name in os.environ for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        yield None
        return
    try:
        from pricematch.api.tracing import exported
    except ImportError as error:
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and what sends spans is not installed: pip install pricematch[otel]"
        ) from error
    spans = exported()
    try:
        yield spans
    finally:
        spans.close()


@contextmanager
def _keys_read_on_hangup(settings: Settings, keys: KeyRing) -> Iterator[None]:
    """On SIGHUP the keys are read again; where they are no good any more the old ones stay."""

    def read(*_: object) -> None:
        try:
            keys.replace(keys_of(settings))
        except SettingsError as error:
            _log.error("the keys stay as they were: %s", error)
        else:
            _log.info("%d keys are known now", len(keys))

    before = signal.signal(signal.SIGHUP, read)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _open_files(settings: Settings) -> None:
    """Let the process have as many files open as its connections need; many systems begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * settings.max_connections + _OTHER_FILES  # an image may be sent on each
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        if allowed < wanted:
            _log.warning(
                "max_connections is %d, and this process may have %d files open (ulimit -Hn): it needs %d",
                settings.max_connections,
                allowed,
                wanted,
            )


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only for sockets made with IPPROTO_TCP; with it every answer takes 40 ms more
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        listener.close()
        raise SettingsError(f"cannot listen on {settings.host}:{settings.port} ({reason})") from error
    return listener


def _share_arenas() -> None:
    """Let all threads allocate from a few arenas, if the C library is glibc.

    Each thread has one of its own otherwise, up to eight a core, and keeps what its largest image took: with 64
    threads that was 1.7 GiB where four arenas hold 0.5. See mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
