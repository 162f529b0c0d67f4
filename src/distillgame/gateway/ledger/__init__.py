"""Keys and the ledger of what was released."""
