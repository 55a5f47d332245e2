"""Chaos test of the masks in buckets: `python -m tests.stress.bucket_chaos --photos 2000`.

Photos are uploaded to a bucket and replaced there. Their events are delivered late, out of order and twice. The
function runs as several processes, one of which is killed every few seconds. Cloud Storage fails one call in fifty,
half of the time after executing it. At the end, each photo must have exactly the mask of its newest version, bit for
bit, or its note, and nothing else may be in the bucket. The figures are printed as one line of JSON.
"""
