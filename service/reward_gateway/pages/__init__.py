"""A page for every operation and every recipe, made of their registration: plain HTML that carries all it needs."""
