"""The command line: from one photo to a hundred thousand."""
