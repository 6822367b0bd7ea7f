"""The data of images: files by their content, how they get there, and what they claim."""
