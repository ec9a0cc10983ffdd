"""Instructions that a program can check: IFEval's 25, IFBench's 58 and those of M-IFEval, a function each.

To add one, write a function in a file of this folder (a new file is found by itself):

    @instruction("count:exclamations")
    def exclamations(response: Text, *, N: Count) -> bool:
        \"""Use exactly {N} exclamation marks.\"""
        return response.raw.count("!") == N

Its keyword arguments are those of ``kwargs`` in the published layout, checked by their types. The first sentence of a
docstring is the instruction's published wording; what follows says how it is read. Verdicts are those of the published
verifiers (google-research/instruction_following_eval, allenai/IFBench), and where those pay what the wording forbids,
the wording holds: nothing is followed by accident. Sentences are split by Punkt with the abbreviations of :mod:`.text`
(the published verifiers load a trained model), which may differ after rare abbreviations.
"""
