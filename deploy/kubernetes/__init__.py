"""Manifests of Kubernetes, and the two that are made: secrets, and the rules of Prometheus."""
