"""Fields of postings that filters name often."""

from pricematch.client.calls import Call, as_result, in_path, verb
from pricematch.client.results.fields import Field, Fields, FieldType


class FieldVerbs:
    """Fields of postings that are declared, so that filters by them are quick."""

    @verb
    def fields(self) -> Call[Fields]:
        """The fields that are declared."""
        return Call(method="GET", path="/fields", read=as_result(Fields))

    @verb
    def declare_field(self, name: str, type: FieldType, *, evidence: bool = False) -> Call[Field]:
        """Declare a field, a path of names with dots between; needs a key of scope `admin`.

        With `evidence` postings are compared by it, too, where a trained matcher has learned to.
        """
        given = {"type": type, "evidence": evidence}
        return Call(method="PUT", path=_path(name), read=as_result(Field), content={"json": given})

    @verb
    def withdraw_field(self, name: str) -> Call[None]:
        """Let a field be as any other again; needs a key of scope `admin`. One that is not declared is NotFound."""
        return Call(method="DELETE", path=_path(name), read=lambda _: None)


def _path(name: str) -> str:
    return f"/fields/{in_path(name, 'the path of a field')}"
