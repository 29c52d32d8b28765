"""Prints the versions of the packages that the other oracles stand on."""

import importlib.metadata
import json

print(json.dumps({name: importlib.metadata.version(name) for name in ("astropy", "pyvo", "vo-models")}))
