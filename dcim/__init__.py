"""dcim: live truth about the power and cooling plant of an AI data centre."""

__version__ = "0.1.0"
