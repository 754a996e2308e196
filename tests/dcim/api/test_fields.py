"""The quick way of a point to JSON says the same as the model of the wire."""

from dcim.api.views import point_fields
from dcim.model.metric import registry
from dcim.model.reading import Derivation, Reading
from dcim.model.wire import point_out


def test_the_plain_fields_of_a_point_are_those_of_the_model():
    pue = Derivation("pue", 1, (), 0.9, 0.01, 3)
    for one in (Reading("site-1/pue", 1.16, 1e9, derivation=pue), Reading("ups-a/load", 4.0, 1e9)):
        assert point_fields(one, registry()) == point_out(one, registry()).model_dump()
