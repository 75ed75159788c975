"""Alerts on the real system: what they are about is caused, and a real Prometheus is asked whether they fire."""
