"""Off, telemetry costs nothing: not even its library is loaded."""

import subprocess
import sys

_LOADED = """
import sys
import gateway.rest.server, inventory_service.__main__, order_service.__main__
import payment_service.__main__, supplier_service.__main__
print(",".join(name for name in sys.modules if name.startswith("opentelemetry")))
"""


def test_no_process_of_ours_loads_opentelemetry_and_no_library_does_for_us() -> None:
    told = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, timeout=300, check=True)
    assert told.stdout.strip() == ""
