"""What the tests of the service share."""

from tests.service.served import loaded

__all__ = ["loaded"]
