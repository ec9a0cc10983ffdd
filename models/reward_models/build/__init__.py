"""Building the models of a repository from pinned packages: ``build``, ``is_built``, ``check``, ``stamp``.

What a repository holds is read and changed by :mod:`reward_models.repository`, which needs none of this.
"""

from reward_models.build.builder import build_model, check_model, count_missing_files, is_built, stamp_model

__all__ = ["build_model", "check_model", "count_missing_files", "is_built", "stamp_model"]
