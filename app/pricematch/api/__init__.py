"""FastAPI: endpoints translate between HTTP and `pricematch.serving`."""
