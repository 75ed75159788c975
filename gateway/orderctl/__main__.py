"""`python -m gateway.orderctl` is `orderctl`."""

from gateway.orderctl.main import main

main()
