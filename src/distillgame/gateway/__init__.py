"""The gateway: a defended model over OpenAI's API, with keys, policies by tier, and a ledger of what was released."""
