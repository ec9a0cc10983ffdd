"""A small file of each published layout, by the published columns."""

from typing import Any

ROWS: dict[str, list[dict[str, Any]]] = {
    "pairs": [{"prompt": "Hi?", "chosen": "Hello!", "rejected": "Go away.", "subset": "chat"}],
    "hh": [
        {
            "chosen": "\n\nHuman: Hi?\n\nAssistant: Hello.\n\nHuman: How are you?\n\nAssistant: Fine, thanks.",
            "rejected": "\n\nHuman: Hi?\n\nAssistant: Hello.\n\nHuman: How are you?\n\nAssistant: No.",
        },
        {"chosen": "\n\nHuman: Hi?\n\nAssistant: Hello.", "rejected": "\n\nHuman: Hi?\n\nAssistant:"},
    ],
    "rewardbench": [
        {"prompt": "Hi?", "chosen": "Hello!", "rejected": "Go away.", "subset": "alpacaeval-easy", "id": 30}
    ],
    "rewardbench2": [
        {
            "id": "17",
            "prompt": "2 + 2?",
            "chosen": ["4"],
            "rejected": ["5", "6", "7"],
            "num_correct": 1,
            "total_completions": 4,
            "subset": "Math",
        },
        {
            "id": "tied:3",
            "prompt": "Name a primary colour.",
            "chosen": ["red", "blue"],
            "rejected": ["green"],
            "num_correct": 2,
            "total_completions": 3,
            "subset": "Ties",
        },
    ],
    "rm-bench": [
        {
            "id": "c-1",
            "prompt": "Hi?",
            "chosen": ["right", "right, plainly", "**right**"],
            "rejected": ["wrong", "wrong, plainly", "**wrong**"],
            "domain": "chat",
        }
    ],
    "judgebench": [
        {
            "pair_id": "j1",
            "question": "Hi?",
            "response_A": "bad",
            "response_B": "good",
            "label": "B>A",
            "source": "mmlu-pro-law",
        }
    ],
    "helpsteer2": [
        {"prompt": "Hi?", "response_1": "good", "response_2": "bad", "preference_strength": -2},
        {"prompt": "Hi?", "response_1": "same", "response_2": "same too", "preference_strength": 0},
        {"prompt": "Hi?", "response_1": "bad", "response_2": "good", "preference_strength": 1},
    ],
    "helpsteer3": [
        {
            "context": [{"role": "user", "content": "Hi?"}],
            "response1": "bad",
            "response2": "good",
            "overall_preference": 3,
            "domain": "general",
        }
    ],
    "best-of-k": [
        {"prompt": "2 + 2?", "responses": ["5", "4", "6"], "best": 1, "labels": None},
        {"prompt": "2 + 2?", "responses": ["4", "four", "5"], "best": None, "labels": [1, 1, 0]},
        {"prompt": "2 + 2?", "responses": ["4", "four"], "best": None, "labels": [1, 1]},
    ],
}
"""Layout -> rows."""
