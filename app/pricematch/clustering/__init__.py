"""Clusterings of one neighbour graph, and average linkage over probabilities."""
