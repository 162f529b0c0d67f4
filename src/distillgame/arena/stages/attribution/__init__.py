"""Attribution: what a suspect prefers where texts had a choice, and diets of which only a part is marked."""
