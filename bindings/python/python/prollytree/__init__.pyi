from .prollytree import *
from .prollytree import __all__ as __all__
