"""The rules of deploy/monitoring as resources of the Prometheus operator: `python -m deploy.kubernetes.rules`."""

import sys
from pathlib import Path
from textwrap import indent
from typing import Final

RULES: Final = Path(__file__).resolve().parents[1] / "monitoring" / "rules"
_HEAD: Final = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: order-system-{name}
  namespace: order-system
  labels: {{app.kubernetes.io/part-of: order-system}}
spec:
"""


def prometheus_rule(name: str, text: str) -> str:
    """A file of rules as a resource: what such a file holds is what stands under `spec`."""
    return _HEAD.format(name=name) + indent(text, "  ")


def prometheus_rules(folder: Path = RULES) -> str:
    """All files of rules, as documents of YAML."""
    return "---\n".join(prometheus_rule(file.stem, file.read_text()) for file in sorted(folder.glob("*.yml")))


if __name__ == "__main__":
    sys.stdout.write(prometheus_rules())
