"""Learns a model of pairs from label groups."""
