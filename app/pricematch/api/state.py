"""What the application's lifespan hands to its requests."""

from dataclasses import dataclass

from pricematch.api.guard import Guard
from pricematch.serving.service import Service


@dataclass(frozen=True)
class State:
    """What requests work with.

    Attributes:
        service: answers.
        guard: decides who may ask.
    """

    service: Service
    guard: Guard
