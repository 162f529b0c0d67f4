"""The stages of the attacker: prepare traces, train students, ask them about facts."""
