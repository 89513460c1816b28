"""Either client, and the seconds that it lets pass."""

from tests.support.clients import asked, pauses

__all__ = ["asked", "pauses"]
