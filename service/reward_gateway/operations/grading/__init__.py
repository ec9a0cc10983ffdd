"""One strict reader of judges' replies: a grade or a verdict that was not plainly given is an error, never a number.

A reply is data from outside. :mod:`.visible` leaves out what is not the judge's own final word (reasoning, quotations,
earlier fences); :mod:`.objects`, :mod:`.grade`, :mod:`.verdict` and :mod:`.marks` read what is left.
"""
