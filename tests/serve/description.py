#!/usr/bin/env python3
"""tools/serve/openapi.json is OpenAPI 3.1, its examples are what its schemas say, and
the server gives that very file. Prints TAP; skipped where openapi-spec-validator is not
installed (tools/setup makes an environment that has it).

usage: description.py KITH
"""

import json
import sys
import urllib.request

from tap import Tap, skip_all
from work import ROOT, TINY, Work

try:
    from jsonschema import Draft202012Validator
    from openapi_spec_validator import OpenAPIV31SpecValidator
except ImportError as missing:
    skip_all(f"{missing}: tools/setup makes an environment that has it")

FILE = ROOT / "tools/serve/openapi.json"


def examples(part, place=""):
    """(place, schema, example) of each example below a part."""
    if isinstance(part, dict):
        if "schema" in part:
            given = [one["value"] for one in part.get("examples", {}).values()]
            if "example" in part:
                given.append(part["example"])
            for example in given:
                yield place, part["schema"], example
        for name, value in part.items():
            yield from examples(value, f"{place} {name}")
    elif isinstance(part, list):
        for value in part:
            yield from examples(value, place)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tap = Tap()
    data = FILE.read_bytes()
    description = json.loads(data)
    faults = [
        str(fault) for fault in OpenAPIV31SpecValidator(description).iter_errors()
    ]
    tap.equal("the description is OpenAPI 3.1", faults, [])
    n = 0
    for place, schema, example in examples(description):
        # References are looked up from the root, where the components are.
        whole = Draft202012Validator(
            {**schema, "components": description["components"]}
        )
        faults = [fault.message for fault in whole.iter_errors(example)]
        tap.equal(f"the example of{place}", faults, [])
        n += 1
    tap.check("every route has examples", n > 40)
    with Work(sys.argv[1], TINY) as work:
        with work.serve() as server:
            with urllib.request.urlopen(f"{server.url}/openapi.json") as answer:
                tap.check("the server gives this file", answer.read() == data)
                tap.equal("as JSON", answer.headers["Content-Type"], "application/json")
    tap.finish()


if __name__ == "__main__":
    main()
