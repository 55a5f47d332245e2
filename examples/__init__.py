"""Programs that use the client."""
