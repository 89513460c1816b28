"""What a store must answer, from a plain list of everything that ever changed in it."""

from dataclasses import dataclass, field

from app.matching.postings import Posting
from app.matching.stored import Changes, Decision, PostingChange, VerdictChange


@dataclass
class Oracle:
    """Dictionaries, and a log of changes: the one of revision n is at place n − 1."""

    log: list[PostingChange | VerdictChange] = field(default_factory=list)
    postings: dict[str, tuple[Posting, int]] = field(default_factory=dict)
    verdicts: dict[tuple[str, str], tuple[Decision, int]] = field(default_factory=dict)

    @property
    def version(self) -> int:
        return len(self.log)

    def put(self, posting: Posting) -> tuple[int, str]:
        """Revision and outcome."""
        stored, revision = self.postings.get(posting.posting_id, (None, 0))
        if stored == posting:
            return revision, "unchanged"
        self.log.append(PostingChange(posting.posting_id, self.version + 1, posting))
        self.postings[posting.posting_id] = posting, self.version
        return self.version, "created" if stored is None else "replaced"

    def delete(self, posting_id: str) -> bool:
        if self.postings.pop(posting_id, None) is None:
            return False
        self.log.append(PostingChange(posting_id, self.version + 1, None))
        return True

    def decide(self, one: str, other: str, decision: Decision) -> tuple[int, bool]:
        """Revision, and whether the pair had none."""
        pair = min(one, other), max(one, other)
        stored, revision = self.verdicts.get(pair, (None, 0))
        if stored == decision:
            return revision, False
        self.log.append(VerdictChange(*pair, self.version + 1, decision))
        self.verdicts[pair] = decision, self.version
        return self.version, stored is None

    def withdraw(self, one: str, other: str) -> bool:
        pair = min(one, other), max(one, other)
        if self.verdicts.pop(pair, None) is None:
            return False
        self.log.append(VerdictChange(*pair, self.version + 1, None))
        return True

    def changes(self, since: int) -> Changes:
        """The last change of each posting and verdict after a version."""
        last: dict[object, PostingChange | VerdictChange] = {}
        for change in self.log[since:]:
            key = change.posting_id if isinstance(change, PostingChange) else (change.first, change.second)
            last.pop(key, None)
            last[key] = change
        postings = [change for change in last.values() if isinstance(change, PostingChange)]
        verdicts = [change for change in last.values() if isinstance(change, VerdictChange)]
        return Changes(self.version, postings, verdicts)
