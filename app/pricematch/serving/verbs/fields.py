"""Verbs on declared fields."""

from pricematch.catalogue.fields import Field
from pricematch.errors import FieldNotFound
from pricematch.serving.filtered_pages import field_counts
from pricematch.serving.results import Declared, DeclaredFields, FieldCounts
from pricematch.serving.verbs.verbs import Verbs


class FieldVerbs(Verbs):
    """Declare fields of postings."""

    def fields(self) -> DeclaredFields:
        """The declared fields, and how many postings have which values; raises NotReady."""
        snapshot = self.snapshot
        return DeclaredFields(snapshot, field_counts(snapshot.matcher))

    async def declare(self, field: Field) -> Declared:
        """Declare a field of postings, so that filters by it are quick; raises LimitExceeded, StoreError."""
        backend = self._ready

        def declare() -> Declared:
            new = backend.fields.declare(field, self.settings.max_declared_fields)
            snapshot = backend.intake.snapshots.declare(backend.fields.fields)
            counts = {it.field.name: it for it in field_counts(snapshot.matcher)}
            return Declared(counts.get(field.name, FieldCounts(field, 0, 0)), new)  # else it has gone meanwhile

        return await self._workers.store(declare)

    async def undeclare(self, name: str) -> None:
        """Let a field be as any other again; raises FieldNotFound, StoreError."""
        backend = self._ready

        def undeclare() -> None:
            if not backend.fields.undeclare(name):
                raise FieldNotFound(name)
            backend.intake.snapshots.declare(backend.fields.fields)

        await self._workers.store(undeclare)
