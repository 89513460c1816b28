"""Composition of what runs without the service, one module a verb."""
