"""Clusterings of one neighbour graph."""
