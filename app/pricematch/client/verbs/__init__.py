"""The verbs of both clients, one file a noun."""

from pricematch.client.verbs.changes import ChangeVerbs
from pricematch.client.verbs.fields import FieldVerbs
from pricematch.client.verbs.jobs import JobVerbs
from pricematch.client.verbs.matches import MatchVerbs
from pricematch.client.verbs.models import ModelVerbs
from pricematch.client.verbs.namespaces import NamespaceVerbs
from pricematch.client.verbs.postings import PostingVerbs
from pricematch.client.verbs.products import ProductVerbs
from pricematch.client.verbs.verdicts import VerdictVerbs


class Verbs(
    MatchVerbs,
    PostingVerbs,
    JobVerbs,
    ProductVerbs,
    VerdictVerbs,
    ChangeVerbs,
    FieldVerbs,
    ModelVerbs,
    NamespaceVerbs,
):
    """What can be asked of a service."""
