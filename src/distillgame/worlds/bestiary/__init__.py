"""The world of facts: invented creatures whose legs only the teacher knows."""
