"""Templates and their arguments to messages. Pure: no input or output, no clock, no randomness."""

from callm.prompt.signature import Parameter, Signature
from callm.prompt.template import MAX_PROMPT, Prompt, Template

__all__ = ["MAX_PROMPT", "Parameter", "Prompt", "Signature", "Template"]
