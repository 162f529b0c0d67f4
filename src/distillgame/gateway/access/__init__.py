"""Access: authentication, rate limits, the campaign monitor, and the admission of requests."""

from distillgame.gateway.access.admission import Admission, Grant, Secrets
from distillgame.gateway.access.authentication import Authentication
from distillgame.gateway.access.flagged import FlaggedOwners
from distillgame.gateway.access.monitor import Monitor, features, read_reference

__all__ = ["Admission", "Authentication", "FlaggedOwners", "Grant", "Monitor", "Secrets", "features", "read_reference"]
