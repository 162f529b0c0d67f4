"""The strength that meets a budget: of a policy, or of the adaptive student."""
