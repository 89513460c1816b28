"""Figures that are collected when /metrics is read: of catalogues, webhooks and worker processes."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pricematch.errors import NotReady
from pricematch.serving.namespaces import Namespaces
from pricematch.serving.service import Service

_Family = TypeVar("_Family")


class ServedFigures(Collector):
    """Figures of each namespace's caches, catalogue, models and webhooks."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces

    def collect(self) -> Iterator[Metric]:
        """Whether each is ready, and where it can answer with which catalogue and models."""
        families = _Families()
        for service in self._namespaces:
            families.add(service)
        yield from families.filled()


class _Families:
    """Metrics whose samples all name their namespace."""

    def __init__(self) -> None:
        gauge, counter = _family(GaugeMetricFamily), _family(CounterMetricFamily)
        self.readers = gauge("pricematch_change_readers", "Requests that read changes, or wait for some.")
        self.ready = gauge("pricematch_ready", "1 if the service takes requests.")
        what = "Features of images, and results, that were kept or had to be computed."
        self.lookups = counter("pricematch_cache_lookups", what, "cache", "outcome")
        self.size = gauge("pricematch_cache_bytes", "Bytes that are kept.", "cache")
        self.messages = counter("pricematch_webhook_messages", "Messages that were taken.", "webhook")
        self.failures = counter("pricematch_webhook_failures", "Attempts that failed.", "webhook")
        self.behind = gauge("pricematch_webhook_behind", "Versions that are yet to be told.", "webhook")
        self.postings = gauge("pricematch_catalogue_postings", "Postings that are searched.")
        self.version = gauge("pricematch_catalogue_version", "Changes since the beginning.")
        self.models = gauge("pricematch_model", "1 for each model that answers.", "name", "version")

    def add(self, service: Service) -> None:
        """Add the figures of a service."""
        name = service.namespace
        self.readers.add_metric([name], service.change_readers)
        self.ready.add_metric([name], service.why_not_ready() is None)
        for kept, cache in service.caches.items():
            self.lookups.add_metric([name, kept, "hit"], cache.hits)
            self.lookups.add_metric([name, kept, "miss"], cache.misses)
            self.size.add_metric([name, kept], cache.size)
        try:
            snapshot = service.snapshot
        except NotReady:
            return
        for it in service.telling:
            behind = 0 if it.position is None else max(0, snapshot.held.version - it.position.revision)
            self.messages.add_metric([name, it.name], it.messages)
            self.failures.add_metric([name, it.name], it.failures)
            self.behind.add_metric([name, it.name], behind)
        self.postings.add_metric([name], len(snapshot.matcher.catalogue))
        self.version.add_metric([name], snapshot.version)
        for manifest in service.manifests():
            self.models.add_metric([name, str(manifest["name"]), str(manifest["version"])], 1)

    def filled(self) -> Iterator[Metric]:
        """Those that have samples."""
        return (it for it in vars(self).values() if it.samples)


def _family(kind: Callable[..., _Family]) -> Callable[..., _Family]:
    """Makes metrics of a kind, labelled with the namespace before all else."""
    return lambda name, text, *labels: kind(name, text, labels=["namespace", *labels])


class OfNamespace:
    """What another collector gives, without samples of other namespaces than one."""

    def __init__(self, whole: Collector, namespace: str) -> None:
        self._whole, self._shown = whole, (None, "", namespace)

    def collect(self) -> Iterator[Metric]:
        """The same metrics, with fewer samples."""
        for metric in self._whole.collect():
            shown = Metric(metric.name, metric.documentation, metric.type, metric.unit)
            shown.samples = [it for it in metric.samples if it.labels.get("namespace") in self._shown]
            yield shown


class EncoderFigures(Collector):
    """Figures of the worker processes, collected when /metrics is read."""

    def __init__(self, processes: Callable[[], Sequence[int]]) -> None:
        self._processes = processes

    def collect(self) -> Iterator[Metric]:
        """The figures of `ProcessCollector` for each worker process."""
        found: dict[str, Metric] = {}
        for number, process in enumerate(self._processes()):
            for metric_family in ProcessCollector(pid=partial(int, process), registry=None).collect():
                name = metric_family.name.replace("process_", "pricematch_encoder_", 1)
                metric = found.setdefault(name, Metric(name, metric_family.documentation, metric_family.type))
                for sample in metric_family.samples:
                    sampled = sample.name.replace("process_", "pricematch_encoder_", 1)
                    metric.add_sample(sampled, {"process": str(number)}, sample.value)
        yield from found.values()
