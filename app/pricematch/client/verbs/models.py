"""Models, and how the service is."""

from pricematch.client.calls import Call, Flow, as_result, ask, in_path, verb
from pricematch.client.errors import Unavailable
from pricematch.client.results.models import Activated, Health, Models, Readiness


class ModelVerbs:
    """What answers, and whether it does."""

    @verb
    def models(self) -> Call[Models]:
        """The models that are loaded, with their manifests."""
        return Call(method="GET", path="/models", read=as_result(Models))

    @verb
    def activate(self, name: str, version: str) -> Call[Activated]:
        """Let a version of a model serve; needs a key of scope `admin`. `models` tells when it does."""
        path = f"/models/{in_path(name, 'the name of a model')}"
        return Call(method="PUT", path=path, read=as_result(Activated), content={"json": {"version": version}})

    @verb
    def alive(self) -> Call[Health]:
        """Whether the process answers; it may still be starting."""
        return Call(method="GET", path="/healthz", read=as_result(Health), beside_versions=True)

    @verb
    def health(self) -> Flow[Readiness]:
        """Whether the service is ready; while it starts or stops, `reason` says what it is at."""
        return _health()

    @verb
    def metrics(self) -> Call[str]:
        """Counters and histograms in Prometheus' text format."""
        return Call(
            method="GET",
            path="/metrics",
            read=lambda response: response.text,
            headers={"Accept": "*/*"},
            beside_versions=True,
        )


def _health() -> Flow[Readiness]:
    call = Call(method="GET", path="/readyz", read=as_result(Readiness), repeatable=False, beside_versions=True)
    try:
        return (yield from ask(call))
    except Unavailable as error:
        return Readiness(status="not-ready", reason=error.detail)
