"""Shaking: ShakeMaps, isoseismals and stations."""
