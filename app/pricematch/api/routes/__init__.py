"""One file a resource; each endpoint calls one method of the service."""
