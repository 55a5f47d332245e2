"""A stand-in for the parts of Google Cloud that a deploy touches, on loopback, for the real gcloud to talk to.

stand_in.py   starts and stops it all; what a test holds in its hand
wire.py       HTTP: which request goes to which answer, and the proxy that lets nothing out
state.py      what the project has: functions, revisions, accounts, buckets
rules.py      what Google's published API refuses
faults.py     what can go wrong on demand
*_api.py      the answers, a file for each API
build.py      what Cloud Build does with an upload
instance.py   a revision, running
front.py      the function's URL
rehearse.py   the whole way, told step by step: `make rehearse`
"""
