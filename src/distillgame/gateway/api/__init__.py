"""OpenAI's API: requests, jobs, responses and the OpenAPI document."""
