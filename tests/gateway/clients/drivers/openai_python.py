"""OpenAI's client for Python."""

import json
import os
from typing import Any

from openai import OpenAI

client: Any = OpenAI(base_url=os.environ["BASE"], api_key=os.environ["KEY"], max_retries=0)
ASKED = {"model": os.environ["MODEL"], "messages": [{"role": "user", "content": os.environ["TEXT"]}], "seed": 2}
whole = client.chat.completions.create(**ASKED)
stream = list(client.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True}))
several = client.chat.completions.create(**ASKED, n=3)
stopped = client.chat.completions.create(**ASKED, stop=["####"])
print(
    json.dumps(
        {
            "chat": whole.choices[0].message.content,
            "stream": "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices),
            "n": [choice.message.content for choice in several.choices],
            "stop": stopped.choices[0].message.content,
            "usage": whole.usage.completion_tokens,
            "stream usage": stream[-1].usage.completion_tokens,
        }
    )
)
