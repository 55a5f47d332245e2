"""A bucket of photos, with everything going wrong at once: `python -m tests.stress.bucket_chaos --photos 2000`.

Photos come to a bucket and are replaced there; their events come late, out of order, twice; the function is three
processes, one of which is killed every few seconds; Cloud Storage fails one call in fifty, sometimes after it did what
it was asked to. In the end every photo must have exactly the mask of its newest version, bit for bit, or its note, and
nothing else may be there. One line of JSON has the figures; the exit code is 0 where all is right.
"""
