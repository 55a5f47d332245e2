"""Cloud Storage: the model download, storage events, and the masks of photos."""
