"""The GAN lab: watch a generator and a discriminator play in the plane."""
