"""What a container says that was not told what to be: `python -m deploy.images`."""

import sys

from deploy.images.processes import PROCESSES, TASKS


def main() -> int:
    """2, as for every wrong call."""
    print("Say what to run, as the container's arguments. Until it is stopped:", file=sys.stderr)
    for process in PROCESSES:
        print(f"  {process.module:<18} port {process.port}, metrics {process.metrics_port}", file=sys.stderr)
    print("To its end:", file=sys.stderr)
    for task, meaning in TASKS.items():
        print(f"  {task:<30} {meaning}", file=sys.stderr)
    print("Each tells what it can be told with --settings, orderctl with --help.", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
