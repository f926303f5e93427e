# Prints the parts of compose.yaml that the rehearsal uses, one per line, tab-separated, in the order of the file. A library parses
# YAML with its anchors. `python compose.py compose.yaml PROFILE DIR`; contents of configurations are written into DIR.
import sys
from pathlib import Path

from ruamel.yaml import YAML

path, profile, directory = sys.argv[1:]
document = YAML(typ="safe").load(Path(path))
for name, service in document["services"].items():
    if profile not in service.get("profiles", []):
        continue
    print("service", name, sep="\t")
    if "build" in service:
        print("build", service["build"], sep="\t")
    for variable, value in service.get("environment", {}).items():
        print("env", variable, value, sep="\t")
    for config in service.get("configs", []):
        target = Path(directory, f"{name}-{config['source']}")
        target.write_text(document["configs"][config["source"]]["content"])
        print("config", target, sep="\t")
