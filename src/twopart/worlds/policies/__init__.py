"""Worlds of policies: questions that are answered in one of several ways, with rewards that can be checked.

patterns.py   a table: how often each pattern is drawn, and how often it is right
additions.py  additions written in two formats, as tokens: a real task for a small transformer
"""

from twopart.worlds.policies.additions import Additions
from twopart.worlds.policies.patterns import Groups, Patterns

__all__ = ["Additions", "Groups", "Patterns"]
