"""Examples of the client."""
