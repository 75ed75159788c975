"""Builds every overlay and checks it: `make manifests`."""

import sys

from tests.manifests.checking import OVERLAYS, TRACES, complaints, whole
from tests.manifests.environment import unused_secrets
from tests.manifests.kustomize import DoesNotBuild, NoKustomize
from tests.manifests.running import requested
from tests.manifests.schemas import OLDEST, newest, unchecked


def main() -> int:
    """0 when all is well, or nothing could be built because there is neither kustomize nor Go; else 1."""
    try:
        overlays = [whole(name) for name in OVERLAYS]
        traced = [whole(name, TRACES) for name in OVERLAYS]
    except NoKustomize as error:
        print(f"manifests: skipped, {error}")
        return 0
    except DoesNotBuild as error:
        print(f"manifests: {error}", file=sys.stderr)
        return 1
    found = [f"{overlay.name}: {sentence}" for overlay in overlays for sentence in complaints(overlay)]
    found += [f"{overlay.name} with {TRACES}: {sentence}" for overlay in traced for sentence in complaints(overlay)]
    found += [f"nothing reads the secret {name}" for name in unused_secrets(*overlays)]
    for sentence in found:
        print(sentence, file=sys.stderr)
    for overlay in overlays:
        cores, mebibytes = requested(overlay)
        print(
            f"{overlay.name}: {len(overlay.documents)} documents, for Kubernetes {OLDEST} to {newest()}; "
            f"Deployments ask for {cores:.2f} cores and {mebibytes:,} MiB"
        )
    if unchecked():
        print(f"not checked: fields of custom resources, because {unchecked()}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
