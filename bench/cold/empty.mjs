// An empty process: what Node itself costs.
