"""OpenAI's API: requests, the jobs that they become, responses, and the OpenAPI document."""

from distillgame.gateway.api.document import ADMIN_PATHS, RESPONSES, describe
from distillgame.gateway.api.jobs import JobPlan, plan_jobs
from distillgame.gateway.api.messages import monitored_text, text_of
from distillgame.gateway.api.requests import MOST_COMPLETIONS, ApiRequest, ChatRequest, CompletionRequest
from distillgame.gateway.api.responses import DONE, ResponseBuilder, event

__all__ = [
    "ADMIN_PATHS",
    "DONE",
    "MOST_COMPLETIONS",
    "RESPONSES",
    "ApiRequest",
    "ChatRequest",
    "CompletionRequest",
    "JobPlan",
    "ResponseBuilder",
    "describe",
    "event",
    "monitored_text",
    "plan_jobs",
    "text_of",
]
