"""curl, as a shell would call it."""

import json
import os
import subprocess

ASKED = {"model": os.environ["MODEL"], "messages": [{"role": "user", "content": os.environ["TEXT"]}], "seed": 2}


def curl(**more: object) -> str:
    """What curl prints of a request's answer."""
    arguments = ["-H", f"Authorization: Bearer {os.environ['KEY']}", "-H", "Content-Type: application/json"]
    body = json.dumps({**ASKED, **more})
    url = f"{os.environ['BASE']}/chat/completions"
    return subprocess.run(
        ["curl", "-sSfN", url, *arguments, "-d", body], check=True, capture_output=True, text=True
    ).stdout


whole, several, stopped = json.loads(curl()), json.loads(curl(n=3)), json.loads(curl(stop=["####"]))
lines = curl(stream=True, stream_options={"include_usage": True}).split("\n\n")
stream = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
print(
    json.dumps(
        {
            "chat": whole["choices"][0]["message"]["content"],
            "stream": "".join(chunk["choices"][0]["delta"]["content"] for chunk in stream if chunk["choices"]),
            "n": [choice["message"]["content"] for choice in several["choices"]],
            "stop": stopped["choices"][0]["message"]["content"],
            "usage": whole["usage"]["completion_tokens"],
            "stream usage": stream[-1]["usage"]["completion_tokens"],
        }
    )
)
