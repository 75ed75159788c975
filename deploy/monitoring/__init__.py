"""What watches over the system: Prometheus rules and settings, Grafana dashboards, and where their tools come from."""
