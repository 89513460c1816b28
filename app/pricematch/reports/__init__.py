"""Plots, contact sheets and HTML pages of evaluations and explorations."""
