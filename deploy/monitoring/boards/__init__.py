"""Grafana dashboards as code; `python -m deploy.monitoring.boards` writes their JSON."""
