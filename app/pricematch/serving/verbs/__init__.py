"""Verbs of the service, a file for what they are about."""
