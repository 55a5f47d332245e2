"""What an instance of the function needs besides the model: settings, logging, reading requests, loading."""
