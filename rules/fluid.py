"""Heat carried by coolants.

Source: THERMAL section 4; polynomials fitted to CoolProp 8.0, valid 20 to 60 degC.
"""

import math
from dataclasses import dataclass

FLOW_UNCERTAINTY = 0.02  # share of the flow
PROBE_UNCERTAINTY_K = 0.1


@dataclass(frozen=True, slots=True)
class Fluid:
    """Density (kg/m3) and specific heat (kJ/kg K) as c0 + c1 T + c2 T^2, T in degC."""

    density: tuple[float, float, float]
    heat: tuple[float, float, float]

    def density_at(self, temperature_c: float) -> float:
        return _polynomial(self.density, temperature_c)

    def heat_at(self, temperature_c: float) -> float:
        return _polynomial(self.heat, temperature_c)


FLUIDS = {
    "pg25": Fluid((1026.587, -0.30974, -0.0026799), (3.87104, 0.0024964, -1.404e-6)),
    "water": Fluid((1001.387, -0.075975, -0.0037763), (4.196669, -0.00094354, 1.24661e-5)),
}


def heat_w(fluid: Fluid, flow_lpm: float, supply_c: float, return_c: float) -> float:
    """Heat (W) that the stream took up between supply and return; flow metered at the supply."""
    mass_kg_s = fluid.density_at(supply_c) * flow_lpm / 60000
    return 1000 * mass_kg_s * fluid.heat_at((supply_c + return_c) / 2) * (return_c - supply_c)


def heat_uncertainty(difference_k: float) -> float:
    """Relative standard uncertainty of heat from 2 % flow and two 0.1 K probes."""
    if difference_k == 0:
        return math.inf
    return math.hypot(FLOW_UNCERTAINTY, math.sqrt(2) * PROBE_UNCERTAINTY_K / difference_k)


def _polynomial(c: tuple[float, float, float], t: float) -> float:
    return c[0] + t * (c[1] + t * c[2])
