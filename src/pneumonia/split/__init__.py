"""Who goes where: groups are chosen for train, val and test; the manifest, its contract, the leak audit."""
