"""JSON that readers of YAML take as well."""

import json
import re

# What YAML wants escaped, and JSON does not (YAML 1.1, 5.1 Character Set).  Characters
# beyond 16 bits stay as they are: YAML does not know JSON's pairs of escapes.
_NOT_PLAIN = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def dumps(value):
    """Return the JSON of a value, in one line."""
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_PLAIN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
