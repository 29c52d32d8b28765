"""Writes the table of values in charts/sidereal/README.md from values.yaml: `readme.py` writes, `readme.py --check` tells.

A comment that begins with `# --` describes the key below it; the value of a key without one is described key by key.
"""

import json
import pathlib
import re
import sys

import yaml

CHART = pathlib.Path(__file__).parents[2] / "charts/sidereal"
BEGIN, END = "<!-- values: made by tests/charts/readme.py -->\n", "<!-- values: end -->\n"


def descriptions(text):
    """Path of a key → its description, in the order of the file; and the paths of all keys, for what lacks one."""
    found, keys, path, said = {}, [], [], None
    for line in text.splitlines():
        comment = re.match(r" *# -- (.*)", line)
        key = re.match(r"( *)([A-Za-z][\w]*):", line)
        if comment:
            said = comment.group(1)
        elif key:
            depth = len(key.group(1)) // 2
            path[depth:] = [key.group(2)]
            keys.append(".".join(path))
            if said is not None:
                found[".".join(path)] = said
            said = None
    return found, keys


def table():
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    found, keys = descriptions(text)
    for key in keys:
        parents = {key[:at] for at in range(len(key)) if key[at] == "."}
        below = any(other.startswith(key + ".") and other in found for other in keys)
        if key not in found and not parents & found.keys() and not below:
            raise SystemExit(f"values.yaml: {key} has no description")
    rows = ["| value | default | |", "|---|---|---|"]
    for key, said in found.items():
        value = values
        for part in key.split("."):
            value = value[part]
        default = json.dumps(value, ensure_ascii=False).replace("|", "\\|")
        rows.append(f"| `{key}` | `{default}` | {said.replace('|', chr(92) + '|')} |")
    return "\n".join(rows) + "\n"


def main(check):
    file = CHART / "README.md"
    before, rest = file.read_text().split(BEGIN)
    after = rest.split(END)[1]
    wanted = before + BEGIN + "\n" + table() + "\n" + END + after
    if check:
        if wanted != file.read_text():
            raise SystemExit("charts/sidereal/README.md is not what values.yaml says: python tests/charts/readme.py")
    else:
        file.write_text(wanted)


if __name__ == "__main__":
    main("--check" in sys.argv)
