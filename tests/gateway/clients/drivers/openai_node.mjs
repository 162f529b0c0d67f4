// OpenAI's client for Node.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.BASE, apiKey: process.env.KEY, maxRetries: 0 });
const asked = { model: process.env.MODEL, messages: [{ role: "user", content: process.env.TEXT }], seed: 2 };
const whole = await client.chat.completions.create(asked);
let streamed = "";
let usage = null;
for await (const chunk of await client.chat.completions.create({
  ...asked,
  stream: true,
  stream_options: { include_usage: true },
})) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
const several = await client.chat.completions.create({ ...asked, n: 3 });
const stopped = await client.chat.completions.create({ ...asked, stop: ["####"] });
console.log(
  JSON.stringify({
    chat: whole.choices[0].message.content,
    stream: streamed,
    n: several.choices.map((choice) => choice.message.content),
    stop: stopped.choices[0].message.content,
    usage: whole.usage.completion_tokens,
    "stream usage": usage.completion_tokens,
  }),
);
