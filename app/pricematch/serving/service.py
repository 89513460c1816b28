"""The service without HTTP: one method a verb."""

from pricematch.serving.verbs.changes import ChangeVerbs
from pricematch.serving.verbs.feedback import FeedbackVerbs
from pricematch.serving.verbs.fields import FieldVerbs
from pricematch.serving.verbs.jobs import JobVerbs
from pricematch.serving.verbs.postings import PostingVerbs
from pricematch.serving.verbs.products import ProductVerbs
from pricematch.serving.verbs.queries import QueryVerbs


class Service(QueryVerbs, PostingVerbs, ProductVerbs, FeedbackVerbs, ChangeVerbs, FieldVerbs, JobVerbs):
    """Answers queries and changes the catalogue, once it is open; for one event loop.

    Images are encoded first, then matched in a thread.
    """
