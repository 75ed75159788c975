"""`python -m deploy.local.issuer`: serves until it is told to stop, on the loopback address and nowhere else."""

import os
import signal
import sys
from types import FrameType

from deploy.local.issuer.faces import Desk, server_of
from deploy.local.issuer.signing import secret_of, signer_of
from deploy.local.place import place_from


def main() -> int:
    place = place_from(os.environ)
    port = place.port("issuer")
    desk = Desk(signer_of(place.state, f"http://127.0.0.1:{port}"), secret_of(place.state))
    try:
        server = server_of(desk, port)
    except OSError as error:
        print(f"the issuer cannot listen: {error}. Is another one running here?", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, _leave)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
    return 0


def _leave(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
