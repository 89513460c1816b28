"""What the tests of the service share."""

from tests.support.served import loaded

__all__ = ["loaded"]
