"""A fake of the Google Cloud APIs that deploy.sh uses, on loopback, called by the real gcloud.

Modules:
    cloud: The fake as a whole: started, configured and inspected by tests.
    http_server: The HTTP server: routing of requests, and a proxy that lets no request leave the machine.
    resources: The resources of the project: functions, revisions, accounts, buckets.
    validation: What Google's published API refuses.
    errors, faults: Errors of the APIs, and errors that tests inject.
    eventarc_api, functions_api, project_api, pubsub_api, run_api, source_api, storage_api: The endpoints of each API.
    build: The build of an upload, as by Cloud Build.
    revisions: Revisions of services, started from what was built.
    instance: The process that serves a revision.
    ingress: The public URL of a service, and of its traffic tags.
    commands: deploy.sh and the client, run against the fake.
    startup: What gcloud and the client import when they start: it refuses and records what leaves the machine.
    marks: When tests that run deploy.sh are skipped.
    rehearse, rehearse_run: Complete deployments, step by step: `make rehearse`.
"""
