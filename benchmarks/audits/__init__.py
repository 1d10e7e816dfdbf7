"""Games in which canaries are put into releases or left out, as Hanse makes releases and as a broken Hanse would."""
