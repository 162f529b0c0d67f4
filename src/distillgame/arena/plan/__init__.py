"""From a configuration to the stages that play it: who plays whom, and which stages that takes."""
