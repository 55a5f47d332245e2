"""Photos with masks: reading, splitting, composing and augmenting them, and downloading them."""
