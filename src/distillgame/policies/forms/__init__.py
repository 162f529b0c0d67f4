"""Forms of release: what the provider makes of a finished completion before anybody sees it.

Importing this package registers ``full``, ``summary``, ``answer_only``, ``truncated``, ``reformulate`` and ``rewrite``.
"""

from distillgame.policies.forms.base import Form, WrittenForm, forms, make_form
from distillgame.policies.forms.cut import AnswerOnlyForm, FullForm, TruncatedForm
from distillgame.policies.forms.reformulation import ReformulateForm
from distillgame.policies.forms.rewording import RewriteForm, SummaryForm

__all__ = [
    "AnswerOnlyForm",
    "Form",
    "FullForm",
    "ReformulateForm",
    "RewriteForm",
    "SummaryForm",
    "TruncatedForm",
    "WrittenForm",
    "forms",
    "make_form",
]
