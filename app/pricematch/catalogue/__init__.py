"""Postings, the catalogue that holds them in rows, their features, and feedback on pairs of them."""
