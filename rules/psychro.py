"""Moist air: dew point and its inverse.

Source: THERMAL section 2, Magnus formula with the coefficients of Alduchov and Eskridge.
"""

import math

_A = 17.625
_B_C = 243.04
_HUMIDITY_MIN, _HUMIDITY_MAX = 0.5, 100.0  # %RH


def dew_point_c(temperature_c: float, humidity: float) -> float:
    """Dew point over liquid water, degC; `humidity` in %RH is clamped to 0.5..100."""
    humidity = min(max(humidity, _HUMIDITY_MIN), _HUMIDITY_MAX)
    gamma = math.log(humidity / 100) + _A * temperature_c / (_B_C + temperature_c)
    return _B_C * gamma / (_A - gamma)


def humidity_at(temperature_c: float, dew_c: float) -> float:
    """Relative humidity (%RH) of air at a temperature with a given dew point."""
    return 100 * math.exp(_A * dew_c / (_B_C + dew_c) - _A * temperature_c / (_B_C + temperature_c))
