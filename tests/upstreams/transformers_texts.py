"""What transformers renders: the texts of conversations by chat templates.

    python transformers_texts.py < QUESTIONS.json > TEXTS.json

QUESTIONS is a list of objects with ``template`` (Jinja), ``messages`` and ``tokens`` (special tokens by name).
"""

import json
import sys
from typing import Any

from transformers.utils.chat_template_utils import render_jinja_template


def render(question: dict[str, Any]) -> str:
    """The text of one conversation."""
    texts, _ = render_jinja_template([question["messages"]], chat_template=question["template"], **question["tokens"])
    return str(texts[0])


if __name__ == "__main__":
    json.dump([render(question) for question in json.load(sys.stdin)], sys.stdout)
