"""Exact nearest-neighbour search and radius graphs: one implementation for each kind of vector."""
