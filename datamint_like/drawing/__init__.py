"""Pictures of images and masks: pixels (NumPy and OpenCV only), figures (matplotlib), and the card in notebooks."""
