"""Lets papermill write parameters (-p) in Go, for the kernel "Go (metamers)".

papermill has no entry point for languages, but it imports what is registered as an engine
(group papermill.engine in pyproject.toml), and this module says how parameters are written when it
is imported. Its engine is papermill's own. It is a module of its own, so that papermill starts
without numpy and pandas.
"""

import json
import math
import re

from papermill.engines import NBClientEngine as Engine
from papermill.models import Parameter
from papermill.translators import Translator, papermill_translators

__all__ = ["Engine", "GoTranslator"]

# x := 1 or var x T = 1; a comment behind it is its help.
_DEFINES = re.compile(r"\s*(?:var\s+)?(?P<names>\w+(?:\s*,\s*\w+)*)(?:\s+(?P<type>[^\s=:][^=:]*?))?\s*:?=\s*(?P<value>\S.*?)\s*(?:\s//\s*(?P<help>.*))?$")


class GoTranslator(Translator):
    """Writes parameters as assignments: the notebook's cell tagged "parameters" defines the variables.

    An assignment keeps the type that the notebook gave: 4 becomes a float64 or a float32, a string
    becomes an mk.Stage, and a parameter that no cell defines is an error.
    """

    @classmethod
    def translate_none(cls, val):
        return "nil"

    @classmethod
    def translate_str(cls, val):
        text = json.dumps(str(val), ensure_ascii=False)  # JSON's escapes are Go's too
        return text.replace("\ufeff", "\\ufeff")

    translate_escaped_str = translate_str  # of dates and the like

    @classmethod
    def translate_float(cls, val):
        if math.isnan(val):
            return "math.NaN()"
        if math.isinf(val):
            return f"math.Inf({1 if val > 0 else -1})"
        return repr(val)

    @classmethod
    def translate_list(cls, val):
        """Write a slice; an empty one is nil, whatever its type."""
        if not val:
            return "nil"
        return f"[]{_type(val)}{{{', '.join(map(cls.translate, val))}}}"

    @classmethod
    def translate_dict(cls, val):
        """Write a map with keys that are text; an empty one is nil, whatever its type."""
        if not val:
            return "nil"
        entries = (f"{cls.translate_str(str(k))}: {cls.translate(v)}" for k, v in val.items())
        return f"map[string]{_type(val.values())}{{{', '.join(entries)}}}"

    @classmethod
    def comment(cls, cmt_str):
        return f"// {cmt_str}"

    @classmethod
    def codify(cls, parameters, comment="Parameters"):
        """Begin with a comment by which the kernel knows the cell: without a session it refuses it."""
        return super().codify(parameters, comment + " of papermill")

    @classmethod
    def inspect(cls, parameters_cell):
        """Return the variables that the cell defines, each on a line of its own or several on one."""
        found = []
        for line in parameters_cell["source"].splitlines():
            if m := _DEFINES.match(line):
                for name in m["names"].split(","):
                    found.append(Parameter(name.strip(), m["type"] or "None", m["value"] or "None", m["help"] or ""))
        return found


def _type(values):
    """Return the Go type that all the values have, any if there is none; empty ones are nil."""
    found = {_type_of(v) for v in values if v not in ([], {})}
    if found == {"int", "float64"}:
        return "float64"
    return found.pop() if len(found) == 1 else "any"


def _type_of(value):
    if isinstance(value, bool):  # before int, which it is too
        return "bool"
    if isinstance(value, list):
        return "[]" + _type(value)
    if isinstance(value, dict):
        return "map[string]" + _type(value.values())
    return {int: "int", float: "float64", str: "string"}.get(type(value), "any")


papermill_translators.register("metamers-go", GoTranslator)
