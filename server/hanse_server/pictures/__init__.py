"""Pictures and pages that need nothing but themselves: escaped markup and the shapes of a chart."""
