"""The command line: one photo, a batch of photos, or the backfill of a bucket."""
