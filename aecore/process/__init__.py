"""Trainings and evaluations as separate processes, and their queue."""
