"""The pair model: retrievers, pair features, graph features, probability, thresholds, explanation."""
