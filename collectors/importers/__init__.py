"""Device maps in other tools' formats, turned into profiles of ours."""
