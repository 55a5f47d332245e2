"""Deployment: deploy.sh for Google Cloud, and the bundles and manifests for other platforms."""
