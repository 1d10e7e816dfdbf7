"""How sure a stated interval or difference is: 95 %."""

NORMAL_95 = 1.959963984540054
"""So many standard deviations to either side hold a normal variable with probability 95 %. Noise of a release is a sum
of discrete Gaussians over many grid steps, which no one tells from a normal variable at this precision."""
