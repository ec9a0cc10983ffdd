"""Finding what a response answers: a box, a tag, a number, a choice. All in linear time."""
