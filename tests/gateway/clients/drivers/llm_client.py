"""Simon Willison's llm; it asks for one completion at a time."""

import json
import os

from llm.default_plugins.openai_models import Chat

model = Chat("served", model_name=os.environ["MODEL"], api_base=os.environ["BASE"])
ASKED = {"key": os.environ["KEY"], "seed": 2}
text = os.environ["TEXT"]
whole = model.prompt(text, stream=False, **ASKED)
stream = model.prompt(text, stream=True, **ASKED)
print(
    json.dumps(
        {
            "chat": whole.text(),
            "stream": "".join(stream),
            "stop": model.prompt(text, stream=False, stop="####", **ASKED).text(),
            "usage": whole.usage().output,
            "stream usage": stream.usage().output,
        }
    )
)
