"""Requests and results as JSON has them, one file a resource."""
