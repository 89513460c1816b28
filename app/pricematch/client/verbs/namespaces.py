"""Catalogues that one service has beside each other."""

from pricematch.client.calls import Call, as_result, in_path, verb
from pricematch.client.results.namespaces import Namespace, Namespaces


class NamespaceVerbs:
    """The namespaces of the service; they take a key of scope `admin` for all of them."""

    @verb
    def namespaces(self) -> Call[Namespaces]:
        """The namespaces there are."""
        return Call(method="GET", path="/namespaces", read=as_result(Namespaces), beside_namespaces=True)

    @verb
    def put_namespace(self, name: str) -> Call[Namespace]:
        """Make a namespace unless there is one of the name; a client with `namespace=name` asks in it."""
        path = f"/namespaces/{in_path(name, 'the name of a namespace')}"
        return Call(method="PUT", path=path, read=as_result(Namespace), beside_namespaces=True)
