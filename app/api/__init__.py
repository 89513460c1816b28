"""The HTTP rim: endpoints translate between HTTP and `app.matching`."""
