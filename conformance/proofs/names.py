"""Every public name of the Python package, by introspection: one line of JSON.

``{"names": {"Gmail.list_messages": "twin" | "alone" | "handle" | "function"}, "errors": {code: class}}``. What iterates
is told as ``next``.
"""

import inspect
import json
import sys

import nbhd
import nbhd.testkit

PROTOCOLS = {"__next__": "next", "__anext__": "anext"}


def verbs(cls, hidden):
    """The public names of a class; the awaitable twin of a verb is told with the verb."""
    all_names = {PROTOCOLS.get(name, name) for name in dir(cls)}
    public = {name for name in all_names if not name.startswith("_")}
    public -= {name for name in dir(list) if issubclass(cls, list)}
    public -= hidden
    found = {}
    for name in sorted(public):
        if name.startswith("a") and name[1:] in public:
            continue
        found[name] = "twin" if f"a{name}" in public else "alone"
    return found


def main(hide):
    names, errors = {}, {}
    for prefix, module in (("", nbhd), ("testkit.", nbhd.testkit)):
        for name in module.__all__:
            if name.startswith("_"):
                continue
            thing = getattr(module, name)
            if inspect.isclass(thing) and issubclass(thing, BaseException):
                if thing is not nbhd.NbhdError:
                    errors[name] = thing.__name__
                continue
            if inspect.isclass(thing):
                names[prefix + name] = "handle"
                hidden = {hide.split(".")[-1]} if hide and hide.rsplit(".", 1)[0] == prefix + name else set()
                for verb, kind in verbs(thing, hidden).items():
                    names[f"{prefix}{name}.{verb}"] = kind
            elif callable(thing):
                names[prefix + name] = "function"
    print(json.dumps({"names": names, "errors": errors}))


main(sys.argv[1] if len(sys.argv) > 1 else "")
