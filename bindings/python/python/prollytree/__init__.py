"""A versioned, verifiable, embedded key-value database: prolly trees with Git's verbs on top.

Everything lives in the compiled module ``prollytree.prollytree``; this package re-exports exactly what that module
has. A slim wheel (built without some Cargo features) therefore imports all the same: what it lacks is absent here,
and the matching ``*_available`` flag is false.
"""

from . import prollytree as _native
from .prollytree import *

__all__ = _native.__all__
