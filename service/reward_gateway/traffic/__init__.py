"""Who may come in, how many at once, and until when: keys, rates, admission, deadlines, limits, media."""
