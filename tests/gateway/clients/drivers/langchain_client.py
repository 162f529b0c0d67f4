"""LangChain's chat model for OpenAI-compatible servers."""

import json
import os

from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI

GIVEN = {"model": os.environ["MODEL"], "base_url": os.environ["BASE"], "api_key": os.environ["KEY"], "seed": 2}
chat = ChatOpenAI(**GIVEN, max_retries=0, stream_usage=True)
text = os.environ["TEXT"]
whole = chat.invoke(text)
stream = list(chat.stream(text))
several = ChatOpenAI(**GIVEN, max_retries=0, n=3).generate([[HumanMessage(text)]])
print(
    json.dumps(
        {
            "chat": whole.content,
            "stream": "".join(chunk.content for chunk in stream),
            "n": [generation.text for generation in several.generations[0]],
            "stop": chat.invoke(text, stop=["####"]).content,
            "usage": whole.usage_metadata["output_tokens"],
            "stream usage": sum(c.usage_metadata["output_tokens"] for c in stream if c.usage_metadata),
        }
    )
)
