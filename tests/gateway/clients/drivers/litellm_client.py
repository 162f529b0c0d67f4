"""LiteLLM, as a client of an OpenAI-compatible server."""

import json
import os

import litellm

ASKED = {
    "model": f"openai/{os.environ['MODEL']}",
    "messages": [{"role": "user", "content": os.environ["TEXT"]}],
    "seed": 2,
    "api_base": os.environ["BASE"],
    "api_key": os.environ["KEY"],
    "num_retries": 0,
}
whole = litellm.completion(**ASKED)
stream = list(litellm.completion(**ASKED, stream=True, stream_options={"include_usage": True}))
several = litellm.completion(**ASKED, n=3)
stopped = litellm.completion(**ASKED, stop=["####"])
print(
    json.dumps(
        {
            "chat": whole.choices[0].message.content,
            "stream": "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices),
            "n": [choice.message.content for choice in several.choices],
            "stop": stopped.choices[0].message.content,
            "usage": whole.usage.completion_tokens,
            "stream usage": next(c.usage.completion_tokens for c in reversed(stream) if getattr(c, "usage", None)),
        }
    )
)
