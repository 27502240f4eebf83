"""Reads what to do from standard input, and prints what came of it.

Standard input holds a list of steps; each names a function of the script by its member `do`. Standard
output holds a list of as many outcomes: what the function returned, as `ok`, or the library's own error.
"""

import json
import sys


def outcome(step, functions):
    try:
        return {"ok": functions[step["do"]](step)}
    except Exception as error:
        told = {"class": type(error).__name__, "text": str(error)}
        # Where the libraries keep what the server said.
        told["code"] = getattr(error, "error", None)
        told["description"] = getattr(error, "description", None)
        return {"error": told}


def run(*functions):
    by_name = {function.__name__: function for function in functions}
    steps = json.load(sys.stdin)
    json.dump([outcome(step, by_name) for step in steps], sys.stdout)
