"""Titles: normalisation, quantities, attributes, vectors."""
