"""A model adapted to labelled images of another place: training continues, with the own images rehearsed."""
