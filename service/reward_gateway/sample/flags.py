"""The flags of samples: a closed set, beside the guards' names, in answers and as the label of a metric."""

MESSAGE_PARTS_IGNORED = "message_parts_ignored"
"""A sample whose messages say something that nothing reads."""

FLAGS = (
    "truncated",
    "media_ignored",
    MESSAGE_PARTS_IGNORED,
    "out_of_distribution",
    "cohort_incomplete",
)
