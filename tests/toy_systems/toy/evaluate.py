"""A toy's scores: one figure."""
import json

from models.toy.pipeline import hum


def main(arguments=None):
    """Prints the loudest sample of a hum; returns the exit code."""
    from types import SimpleNamespace
    print(json.dumps({"peak": round(float(hum(SimpleNamespace(duration=1.0, colour=1), 0).max()), 3),
                      "asked": arguments}))
    return 0
