"""How a network stretches the space of images: its Jacobian, the Fisher metric, a straight path, a plane (Eq.
10–13).
"""

from satcore.geometry.metric import jacobian, length_element, singular_values
from satcore.geometry.paths import Path, path
from satcore.geometry.planes import Plane, plane

__all__ = ["Path", "Plane", "jacobian", "length_element", "path", "plane", "singular_values"]
