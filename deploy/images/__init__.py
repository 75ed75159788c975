"""The image: how it is built, what may be run in it, how its health is asked, and how its steps are tried."""
