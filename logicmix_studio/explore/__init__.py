"""What Overview, Browse, Blend and Label ask of a data set: statistics, images, blends."""
